//! No two files of a crate import each other, directly or through others.
//!
//! A file imports another when it uses a name that the other defines. A re-exported name counts for the file that
//! defines it; declaring a child with `mod` or re-exporting its names is not a use. So a child may be used by its
//! parent, or use its parent's items, but not both. Tests are left out.

mod graph;
mod modules;
mod tokens;

use std::path::{Path, PathBuf};

use self::graph::circles;
use self::modules::Modules;
use crate::architecture::root;

/// Returns the root files of all crates, each with the crate's folder.
fn crate_roots() -> Vec<(String, PathBuf)> {
    let mut folders = vec![root().join("cli")];
    for shelf in ["crates", "services"] {
        folders.extend(std::fs::read_dir(root().join(shelf)).unwrap().map(|entry| entry.unwrap().path()));
    }
    folders.sort();
    let mut roots = Vec::new();
    for folder in folders {
        let name = folder.strip_prefix(root()).unwrap().display().to_string();
        for file in ["src/lib.rs", "src/main.rs"] {
            if folder.join(file).exists() {
                roots.push((name.clone(), folder.join(file)));
            }
        }
    }
    roots
}

fn read(file: &Path) -> Option<String> {
    std::fs::read_to_string(file).ok()
}

#[test]
fn no_files_import_each_other() {
    let mut found = Vec::new();
    for (name, file) in crate_roots() {
        for circle in circles(&Modules::read(&file, &read).imports()) {
            let way = circle.way.join("\n    ").replace(&format!("{}/", root().display()), "");
            found.push(format!("{name}: a circle of {} files\n    {way}", circle.files.len()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Returns the circles of a crate made of these files, the first of which is its root.
fn ways(files: &[(&str, &str)]) -> Vec<String> {
    let text = |file: &Path| {
        files.iter().find(|(name, _)| Path::new(name) == file).map(|(_, text)| (*text).to_owned())
    };
    let circles = circles(&Modules::read(Path::new(files[0].0), &text).imports());
    circles.into_iter().map(|circle| circle.way.join(", ")).collect()
}

#[test]
fn siblings_that_use_each_other_are_a_circle_however_they_write_it() {
    for mention in [
        "use crate::b::B;",
        "use super::b::{self, B as _};",
        "use crate::{b::B, std};",
        "use super::b; fn f() -> b::B {}",
        "fn f(_: Vec<crate::b::B>) {}",
        "fn f() { println!(\"{}\", crate::b::B); }",
        "use crate::B;",
        "mod inside { use super::super::b::B; }",
        "use crate::b::*;",
    ] {
        let files = [
            ("lib.rs", "mod a; mod b; pub use b::B;"),
            ("a.rs", mention),
            ("b.rs", "use crate::a::A; pub struct B;"),
        ];
        let found = ways(&files);
        assert_eq!(found.len(), 1, "{mention}: {found:?}");
        assert!(
            found[0].starts_with("a.rs imports ") && found[0].ends_with("b.rs imports crate::a::A from a.rs"),
            "{found:?}"
        );
    }
}

#[test]
fn comments_tests_and_other_crates_import_nothing() {
    for mention in [
        "/// See [`crate::b::B`].\n pub struct A; const TEXT: &str = \"crate::b::B\";",
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(test)] #[expect(unused)] use crate::b::B;",
        "use crate::b;",
        "use ::b::B; use std::b::B as C;",
        "fn f(a: A) { a.b(); a.B; }",
        "fn f() -> impl Iterator + use<'_> {}",
    ] {
        let files =
            [("lib.rs", "mod a; mod b;"), ("a.rs", mention), ("b.rs", "use crate::a::A; pub struct B;")];
        assert_eq!(ways(&files), [""; 0], "{mention}");
    }
}

#[test]
fn a_parent_that_only_re_exports_is_no_circle_and_one_that_uses_is() {
    let child = ("a/mod.rs", "mod child; pub use self::child::Child; pub struct Parent;");
    let files = [
        ("lib.rs", "mod a; pub use a::Child;"),
        child,
        ("a/child.rs", "use super::Parent; pub struct Child;"),
    ];
    assert_eq!(ways(&files), [""; 0]);
    let user = ("a/mod.rs", "mod child; pub use self::child::Child; pub struct Parent(Child);");
    let files = [files[0], user, files[2]];
    assert_eq!(
        ways(&files),
        ["a/child.rs imports super::Parent from a/mod.rs, a/mod.rs imports Child from a/child.rs"]
    );
}

#[test]
fn a_longer_circle_is_named_by_its_shortest_way() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::{a::A, c::C}; pub struct B;"),
        ("c.rs", "use crate::a::A; pub struct C;"),
    ];
    assert_eq!(ways(&files), ["a.rs imports crate::b::B from b.rs, b.rs imports crate::a::A from a.rs"]);
}
