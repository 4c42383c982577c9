//! Two people changed one record: a three-way merge, field by field.
//!
//! What only one of them changed is taken over; what both changed differently is a [`Clash`] for
//! the person at the screen to decide. Pure; works on the JSON of any draft.

use serde_json::{Map, Value};

/// A field that both changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// Its path: `timeouts.connect_ms`, `members[0].priority`.
    pub path: String,
    /// JSON pointer to it (RFC 6901).
    pub pointer: String,
    /// Before both.
    pub before: Value,
    /// As stored by the other person.
    pub theirs: Value,
    /// As edited here.
    pub mine: Value,
}

/// Merges `mine` and `theirs`, both made from `before`. A clash keeps `mine`.
pub fn merge(before: &Value, theirs: &Value, mine: &Value) -> (Value, Vec<Clash>) {
    let mut clashes = Vec::new();
    let merged = walk(before, theirs, mine, "", "", &mut clashes);
    (merged, clashes)
}

fn walk(before: &Value, theirs: &Value, mine: &Value, path: &str, pointer: &str, clashes: &mut Vec<Clash>) -> Value {
    if mine == before || mine == theirs {
        return theirs.clone();
    }
    if theirs == before {
        return mine.clone();
    }
    match (before, theirs, mine) {
        (Value::Object(before), Value::Object(theirs), Value::Object(mine)) => {
            Value::Object(walk_object(before, theirs, mine, path, pointer, clashes))
        }
        (Value::Array(before), Value::Array(theirs), Value::Array(mine))
            if same_things(before, theirs) && same_things(before, mine) =>
        {
            let merged = before.iter().zip(theirs).zip(mine).enumerate().map(|(index, ((before, theirs), mine))| {
                walk(before, theirs, mine, &format!("{path}[{index}]"), &format!("{pointer}/{index}"), clashes)
            });
            Value::Array(merged.collect())
        }
        _ => {
            clashes.push(Clash {
                path: path.to_owned(),
                pointer: pointer.to_owned(),
                before: before.clone(),
                theirs: theirs.clone(),
                mine: mine.clone(),
            });
            mine.clone()
        }
    }
}

fn walk_object(
    before: &Map<String, Value>,
    theirs: &Map<String, Value>,
    mine: &Map<String, Value>,
    path: &str,
    pointer: &str,
    clashes: &mut Vec<Clash>,
) -> Map<String, Value> {
    let absent = Value::Null;
    let mut keys: Vec<&String> = before.keys().chain(theirs.keys()).chain(mine.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut merged = Map::new();
    for key in keys {
        let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_else(|| absent.clone());
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        let value = walk(&of(before), &of(theirs), &of(mine), &path, &pointer, clashes);
        if !value.is_null() || theirs.contains_key(key) && mine.contains_key(key) {
            merged.insert(key.clone(), value);
        }
    }
    merged
}

/// Whether two lists hold the same things in the same order, so that they can be merged row by row.
fn same_things(a: &[Value], b: &[Value]) -> bool {
    let name = |value: &Value| value.get("id").or_else(|| value.get("provider")).cloned();
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| name(a).is_some_and(|a| !a.is_null() && Some(a) == name(b)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_one_changed_is_taken_over() {
        let before = json!({"name": "a", "limits": {"rpm": 1, "concurrency": 2}});
        let theirs = json!({"name": "b", "limits": {"rpm": 1, "concurrency": 2}});
        let mine = json!({"name": "a", "limits": {"rpm": 9, "concurrency": 2}});
        let (merged, clashes) = merge(&before, &theirs, &mine);
        assert_eq!(merged, json!({"name": "b", "limits": {"rpm": 9, "concurrency": 2}}));
        assert!(clashes.is_empty());
    }

    #[test]
    fn what_both_changed_is_a_clash_that_keeps_mine() {
        let member = |priority: u32| json!({"members": [{"provider": "p", "priority": priority}]});
        let (merged, clashes) = merge(&member(300), &member(350), &member(400));
        assert_eq!(merged, member(400));
        assert_eq!(clashes.len(), 1);
        assert_eq!(
            (clashes[0].path.as_str(), clashes[0].pointer.as_str()),
            ("members[0].priority", "/members/0/priority")
        );
        assert_eq!(clashes[0].theirs, json!(350));
    }

    #[test]
    fn the_same_change_by_both_is_no_clash() {
        let (merged, clashes) = merge(&json!({"a": 1}), &json!({"a": 2}), &json!({"a": 2}));
        assert_eq!((merged, clashes.len()), (json!({"a": 2}), 0));
    }

    #[test]
    fn lists_of_different_things_clash_as_a_whole() {
        let (_, clashes) = merge(&json!({"only": ["a"]}), &json!({"only": ["a", "b"]}), &json!({"only": ["c"]}));
        assert_eq!(clashes[0].path, "only");
    }

    #[test]
    fn a_key_that_one_side_removed_stays_removed() {
        let (merged, clashes) =
            merge(&json!({"map": {"a": 1, "b": 2}}), &json!({"map": {"a": 1}}), &json!({"map": {"a": 5, "b": 2}}));
        assert_eq!(merged, json!({"map": {"a": 5}}));
        assert!(clashes.is_empty());
    }
}
