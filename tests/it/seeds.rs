//! The committed seeds of the fuzz targets, replayed on the stable toolchain.
//!
//! What a fuzzer finds becomes a seed: it is then asked at every `make test`.

use std::{fs, path::Path};

use crate::properties;

fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut replayed = 0;
    for entry in fs::read_dir(&folder).expect("the target's seeds") {
        property(&fs::read(entry.expect("an entry").path()).expect("a seed"));
        replayed += 1;
    }
    assert!(replayed >= 5, "{target} has {replayed} seeds");
}

#[test]
fn the_path_splitter_withstands_its_seeds() {
    replay("path", properties::path);
}

#[test]
fn the_header_filter_withstands_its_seeds() {
    replay("headers", properties::headers);
}

#[test]
fn the_readers_of_retry_after_withstand_their_seeds() {
    replay("retry_after", properties::retry_after);
}

#[test]
fn the_hold_of_streams_withstands_its_seeds() {
    replay("hold", properties::hold);
}

#[test]
fn the_reader_of_usage_withstands_its_seeds() {
    replay("usage", properties::usage);
}

#[test]
fn the_declarative_file_withstands_its_seeds() {
    replay("import", properties::import);
}

#[test]
fn every_fuzz_target_has_seeds_and_a_place_in_the_manifest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    for entry in fs::read_dir(root.join("fuzz_targets")).expect("targets") {
        let name = entry.expect("an entry").file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        assert!(root.join("seeds").join(&name).is_dir(), "{name} has no seeds");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not built");
    }
}
