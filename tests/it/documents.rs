//! Documents say what the program says.
//!
//! `RONDO_BLESS=1 cargo test documents` writes the tables anew.

use rondo::server::{
    config::table::markdown,
    rest::{BASE, endpoints::ENDPOINTS},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares what stands between the marks `name` with `wanted`, or writes it.
fn check(document: &str, name: &str, wanted: &str) {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let path = root().join(document);
    let text = fs::read_to_string(&path).expect("the document exists");
    let (before, rest) = text.split_once(&open).expect("an opening mark");
    let (_, after) = rest.split_once(&close).expect("a closing mark");
    let wanted = format!("{before}{open}{}\n{close}{after}", wanted.trim_end());
    let bless = std::env::var_os("RONDO_BLESS").is_some();
    if bless {
        fs::write(&path, &wanted).expect("a writable document");
    }
    assert!(bless || wanted == text, "{document} lags behind: RONDO_BLESS=1 cargo test documents");
}

#[test]
fn the_settings_are_documented_in_both_languages() {
    check("docs/CONFIGURATION.md", "settings", &markdown(false));
    check("docs/zh/CONFIGURATION.md", "settings", &markdown(true));
}

#[test]
fn every_admin_endpoint_is_documented_in_both_languages() {
    let mut rows = String::new();
    for endpoint in ENDPOINTS {
        rows.push_str(&format!("| `{} {BASE}{}` | {:?} |\n", endpoint.method, endpoint.path, endpoint.permission));
    }
    check("docs/API.md", "admin", &format!("| endpoint | permission |\n|---|---|\n{rows}"));
    check("docs/zh/API.md", "admin", &format!("| 端点 | 权限 |\n|---|---|\n{rows}"));
}

#[test]
fn every_document_has_its_chinese_twin() {
    for document in markdown_files(&root().join("docs")) {
        let twin = root().join("docs/zh").join(document.file_name().expect("a file"));
        assert!(twin.is_file(), "{} is missing", twin.display());
    }
}

#[test]
fn links_inside_the_repository_lead_somewhere() {
    let folders = [root().to_path_buf(), root().join("docs"), root().join("docs/zh")];
    for document in folders.iter().flat_map(|folder| markdown_files(folder)) {
        let text = fs::read_to_string(&document).expect("readable");
        for link in links(&text) {
            let target = document.parent().expect("a folder").join(link.split('#').next().unwrap_or_default());
            assert!(target.exists(), "{}: {link} leads nowhere", document.display());
        }
    }
}

fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a readable folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Targets of Markdown links that are neither addresses nor anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter(|target| !target.contains("://") && !target.starts_with('#') && !target.is_empty())
}
