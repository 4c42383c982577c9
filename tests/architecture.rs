//! Holds the house to its plan: who imports whom, who owns which crate, where the gates are.
//!
//! The rules are data in `architecture/rules.rs`; this file applies them to every file under
//! `src/`, and to samples that break each of them, so that a rule that stopped working is seen.

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/walk.rs"]
mod walk;

use rules::{ENVIRONMENT, IMPURE, LOCAL, LOCAL_IS_SAFE, NAMELESS, OWNED, PURE, ROOMS};
use std::{fs, path::Path};
use walk::{Facts, Found, walk};

#[test]
fn the_house_keeps_its_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    list(&root.join("src"), &mut files);
    assert!(files.len() > 10, "found the sources");
    let mut faults = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).expect("under the root").to_string_lossy().replace('\\', "/");
        let source = fs::read_to_string(&file).expect("a readable source file");
        faults.extend(judge(&name, &source));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Every fault of one file, each as `path:line: what is wrong`.
fn judge(file: &str, source: &str) -> Vec<String> {
    let module = module_of(file);
    let room = room_of(&module);
    let facts = match walk(source, &module) {
        Ok(facts) => facts,
        Err(error) => return vec![format!("{file}: {error}")],
    };
    let mut faults = Vec::new();
    judge_name(file, source, &mut faults);
    if module.last().is_some_and(|last| last.ends_with("tests")) {
        return faults;
    }
    if !is_known(&room) {
        faults.push(format!("{file}: `{room}` is not in the table of rooms (tests/architecture/rules.rs)"));
    }
    for found in &facts.paths {
        judge_path(file, &room, found, &mut faults);
    }
    judge_facts(file, &facts, &mut faults);
    faults
}

fn judge_name(file: &str, source: &str, faults: &mut Vec<String>) {
    if !source.starts_with("//!") {
        faults.push(format!("{file}:1: open with `//!`: what the file is for, and why it is so"));
    }
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".rs");
    if NAMELESS.contains(&stem) {
        faults.push(format!("{file}: `{stem}` says nothing; name the idea"));
    }
}

fn judge_path(file: &str, room: &str, found: &Found, faults: &mut Vec<String>) {
    let line = found.line;
    if found.path[0] == "crate" {
        let target = room_of(&found.path[1..]);
        let itself = target == room || (room.starts_with(&target) && target == "server" && found.path.len() == 2);
        let allowed = ROOMS
            .iter()
            .any(|entry| entry.name == room && entry.imports.iter().any(|import| *import == "*" || *import == target));
        let root = target.is_empty() || room.is_empty();
        if !(itself || allowed || root) {
            faults.push(format!("{file}:{line}: {room} may not import {target} ({})", found.path.join("::")));
        }
        return;
    }
    for (name, owners) in OWNED {
        if found.path[0] == *name && !room.is_empty() && !owners.contains(&room) {
            faults.push(format!("{file}:{line}: {name} belongs to {}, not to {room}", owners.join(", ")));
        }
    }
    let variable = found.path.iter().position(|step| step == "env").and_then(|at| found.path.get(at + 1));
    if variable.is_some_and(|call| call.contains("var")) && !ENVIRONMENT.contains(&room) {
        faults.push(format!("{file}:{line}: only {} reads the environment", ENVIRONMENT.join(" and ")));
    }
}

fn judge_facts(file: &str, facts: &Facts, faults: &mut Vec<String>) {
    if file == "src/lib.rs" {
        if facts.gates.len() != 5 {
            faults.push(format!("{file}: five feature gates, not {}: two builds, and `otel`", facts.gates.len()));
        }
    } else {
        for line in &facts.gates {
            faults.push(format!("{file}:{line}: feature gates live in lib.rs only"));
        }
    }
    for line in &facts.statics {
        faults.push(format!("{file}:{line}: no statics; `serve` wires what is shared"));
    }
    if file.starts_with("src/ui") && !LOCAL_IS_SAFE.contains(&file) {
        for (line, word) in facts.words.iter().filter(|(_, word)| LOCAL.contains(&word.as_str())) {
            faults.push(format!("{file}:{line}: `{word}` panics on the server when another thread ends the page"));
        }
    }
    if PURE.iter().any(|pure| file.starts_with(pure)) {
        for (line, word) in facts.words.iter().filter(|(_, word)| IMPURE.contains(&word.as_str())) {
            faults.push(format!("{file}:{line}: `{word}` in a pure module; take `now` and `rng`"));
        }
    }
}

/// `src/server/store/sqlite.rs` is `["server", "store", "sqlite"]`; the root is empty.
fn module_of(file: &str) -> Vec<String> {
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    if inner == "lib" { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
}

/// The room of a module: `server::store` for anything under it, the first name otherwise.
fn room_of(module: &[String]) -> String {
    match module {
        [first, second, ..] if first == "server" => format!("server::{second}"),
        [first, ..] => first.clone(),
        [] => String::new(),
    }
}

fn is_known(room: &str) -> bool {
    room.is_empty() || room == "server" || ROOMS.iter().any(|entry| entry.name == room)
}

fn list(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            list(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Each rule on a sample that breaks it.
mod samples {
    use super::judge;

    fn fault(file: &str, body: &str) -> String {
        judge(file, &format!("//! A sample.\n{body}")).join("\n")
    }

    #[test]
    fn the_data_plane_may_not_reach_the_store() {
        assert_eq!(
            fault("src/server/proxy/attempt.rs", "use crate::server::store::Store;"),
            "src/server/proxy/attempt.rs:2: server::proxy may not import server::store (crate::server::store::Store)"
        );
    }

    #[test]
    fn a_tree_of_imports_is_read_to_its_leaves() {
        let faults = fault("src/server/proxy.rs", "use crate::{model::id, server::{routing::Table, bus::{Bus}}};");
        assert!(faults.contains("may not import server::bus"), "{faults}");
        assert_eq!(faults.lines().count(), 1, "{faults}");
    }

    #[test]
    fn a_relative_path_is_no_way_around() {
        assert!(fault("src/server/proxy.rs", "use super::admin::Admin;").contains("may not import server::admin"));
        let nested = "mod inner { fn f() { super::super::store::open() } }";
        assert!(fault("src/server/proxy.rs", nested).contains("may not import server::store"));
    }

    #[test]
    fn a_path_in_a_body_or_a_macro_counts() {
        assert!(fault("src/ui/app.rs", "fn f() { crate::server::admin::x() }").contains("ui may not import"));
        assert!(fault("src/ui/app.rs", "view! { <p>{crate::server::bus::x()}</p> }").contains("ui may not import"));
    }

    #[test]
    fn importing_the_whole_server_is_refused() {
        assert!(fault("src/server/proxy.rs", "use crate::server;").is_empty(), "its own parent is harmless");
        assert!(fault("src/ui/app.rs", "use crate::server;").contains("ui may not import server"));
    }

    #[test]
    fn a_crate_stays_with_its_owner() {
        assert!(fault("src/server/admin.rs", "fn f() { sqlx::query(\"\") }").contains("sqlx belongs to server::store"));
        assert!(fault("src/server/admin.rs", "use ::sqlx::Row;").contains("sqlx belongs"));
        assert!(fault("src/server/routing.rs", "use fred;").contains("fred belongs to"));
        assert!(fault("src/model/id.rs", "#[derive(sqlx::Type)] struct A;").contains("sqlx belongs"));
        assert!(fault("src/server/store/sqlite.rs", "use sqlx::Row;").is_empty());
    }

    #[test]
    fn gates_live_in_the_root() {
        let gate = "#[cfg(feature = \"ssr\")] mod a;";
        assert!(fault("src/ui/app.rs", gate).contains("feature gates live in lib.rs only"));
        assert!(fault("src/ui/app.rs", "fn f() { if cfg!(feature = \"ssr\") {} }").contains("feature gates"));
        assert!(fault("src/lib.rs", gate).contains("five feature gates, not 1"));
    }

    #[test]
    fn a_static_item_is_refused_and_a_lifetime_is_not() {
        assert!(fault("src/server/bus.rs", "static A: u8 = 0;").contains("no statics"));
        assert!(fault("src/server/bus.rs", "fn f() -> &'static str { \"\" }").is_empty());
    }

    #[test]
    fn only_settings_read_the_environment() {
        assert!(fault("src/server/store.rs", "fn f() { std::env::var(\"A\"); }").contains("reads the environment"));
        assert!(fault("src/server/config/read.rs", "fn f() { std::env::var(\"A\"); }").is_empty());
    }

    #[test]
    fn a_pure_module_reads_no_clock() {
        assert!(fault("src/server/health/breaker.rs", "use std::time::Instant;").contains("pure module"));
        assert!(fault("src/server/balance/weighted.rs", "fn f() { std::time::SystemTime::now(); }").contains("pure"));
    }

    #[test]
    fn a_screen_keeps_nothing_local_to_a_thread() {
        let body = "fn f() { let kept = StoredValue::new_local(g()); }";
        assert!(fault("src/ui/pages/login.rs", body).contains("panics on the server"));
        assert!(fault("src/ui/live.rs", body).is_empty(), "inside of an effect");
    }

    #[test]
    fn names_and_openings_are_checked() {
        assert!(fault("src/ui/utils.rs", "").contains("says nothing"));
        assert!(fault("src/server/store/mod.rs", "").contains("says nothing"));
        assert!(judge("src/ui/app.rs", "use std::fmt;").join("").contains("open with"));
        assert!(fault("src/server/cellar.rs", "").contains("not in the table of rooms"));
    }

    #[test]
    fn tests_and_comments_are_free() {
        let tests = "#[cfg(test)] mod tests { use crate::server::store::Store; static A: u8 = 0; }";
        assert!(fault("src/server/proxy.rs", tests).is_empty());
        assert!(
            fault("src/server/proxy.rs", "// crate::server::store::Store\nconst A: &str = \"sqlx::x\";").is_empty()
        );
    }
}
