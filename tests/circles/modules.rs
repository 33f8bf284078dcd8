//! The modules of a crate, and which file imports from which.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use super::tokens::{Path, Source};

/// Longest chain of re-exports that is followed.
const MAX_STEPS: usize = 16;

/// All modules of a crate; the first is its root.
#[derive(Debug, Default)]
pub(super) struct Modules(Vec<Module>);

#[derive(Debug)]
struct Module {
    parent: Option<usize>,
    file: PathBuf,
    source: Source,
    children: BTreeMap<String, usize>,
}

/// What a path leads to within the crate.
#[derive(Clone, Copy, Debug)]
enum Target {
    Module(usize),
    /// An item that this module defines.
    Item(usize),
}

/// For each file, the files it imports from, each with the first path that says so.
pub(super) type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, String>>;

impl Modules {
    /// Reads a crate, starting at its root file. `text` returns the text of a file that exists.
    pub(super) fn read(root: &FilePath, text: &dyn Fn(&FilePath) -> Option<String>) -> Self {
        let mut modules = Self::default();
        let source = Source::read(&text(root).expect("a crate has a root"));
        modules.add(None, root, root.parent().expect("a file lies in a folder"), source, text);
        modules
    }

    fn add(
        &mut self,
        parent: Option<usize>,
        file: &FilePath,
        folder: &FilePath,
        mut source: Source,
        text: &dyn Fn(&FilePath) -> Option<String>,
    ) -> usize {
        let declared = std::mem::take(&mut source.modules);
        let id = self.0.len();
        self.0.push(Module { parent, file: file.to_owned(), source, children: BTreeMap::new() });
        for (name, inside) in declared {
            let below = folder.join(&name);
            let child = if let Some(source) = inside {
                self.add(Some(id), file, &below, source, text)
            } else {
                let (file, found) = [folder.join(format!("{name}.rs")), below.join("mod.rs")]
                    .into_iter()
                    .find_map(|file| text(&file).map(|text| (file, text)))
                    .unwrap_or_else(|| panic!("no file for the module {name} of {}", file.display()));
                self.add(Some(id), &file, &below, Source::read(&found), text)
            };
            self.0[id].children.insert(name, child);
        }
        id
    }

    /// Returns which file imports from which. A `pub use` alone is not an import: whoever uses the name imports it from
    /// the file that defines it.
    pub(super) fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (id, module) in self.0.iter().enumerate() {
            let source = &module.source;
            let imported = source.uses.iter().filter(|import| !import.public);
            let imported = imported.map(|import| (&import.path, import.name == "*"));
            let mentioned = source.paths.iter().map(|path| (path, false));
            for (path, everything) in imported.chain(mentioned) {
                let other = match self.resolve(id, path, MAX_STEPS) {
                    Some(Target::Item(other)) => other,
                    // A module's name alone imports nothing; the paths that go through it do.
                    Some(Target::Module(other)) if everything => other,
                    _ => continue,
                };
                let other = &self.0[other].file;
                if *other != module.file {
                    let from = imports.entry(module.file.clone()).or_default();
                    from.entry(other.clone()).or_insert_with(|| path.join("::"));
                }
            }
        }
        imports
    }

    fn resolve(&self, from: usize, path: &[String], steps: usize) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.0[from].parent?,
            name => match self.0[from].children.get(name) {
                Some(child) => *child,
                None => return self.imported(from, name, rest, steps),
            },
        };
        while let Some((name, after)) = rest.split_first() {
            if name == "super" {
                at = self.0[at].parent?;
            } else if let Some(child) = self.0[at].children.get(name) {
                at = *child;
            } else if self.imports_name(at, name) {
                return self.imported(at, name, after, steps);
            } else {
                return Some(Target::Item(at));
            }
            rest = after;
        }
        Some(Target::Module(at))
    }

    fn imports_name(&self, module: usize, name: &str) -> bool {
        self.0[module].source.uses.iter().any(|import| import.name == name)
    }

    /// Follows a name that a module brings into scope with `use`. Returns `None` for names of other crates.
    fn imported(&self, module: usize, name: &str, rest: &[String], steps: usize) -> Option<Target> {
        let import = self.0[module].source.uses.iter().find(|import| import.name == name)?;
        // `use a::a` names the crate `a`: following it would lead back here.
        if steps == 0 || import.path.first().is_some_and(|first| first == name) {
            return None;
        }
        let path: Path = import.path.iter().chain(rest).cloned().collect();
        self.resolve(module, &path, steps - 1)
    }
}
