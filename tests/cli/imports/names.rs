//! What a file's paths mean: modules, their items and their `use` lines, read by `syn`, resolved through re-exports.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// Path below `src` to text.
pub type Sources = BTreeMap<String, String>;

/// One use of a name of another file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: String,
    pub to: String,
    /// As it stands in the file, `::` between the segments.
    pub path: String,
    /// Only test code uses it.
    pub in_test: bool,
}

#[derive(Default)]
struct Module {
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    uses: Vec<Use>,
    paths: BTreeSet<(Vec<String>, bool)>,
}

struct Use {
    /// `None`: a glob.
    name: Option<String>,
    path: Vec<String>,
    in_test: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    Item(String),
}

/// Every use of a name of another file, in the files that `lib.rs` reaches and in `main.rs`.
///
/// # Panics
/// Where a file does not parse, or no `mod` line declares it.
pub fn imports(sources: &Sources) -> BTreeSet<Import> {
    let mut names = Names { sources, modules: Vec::new(), unread: sources.keys().cloned().collect() };
    names.read("lib.rs", None, false);
    if sources.contains_key("main.rs") {
        names.read("main.rs", None, false);
    }
    assert!(names.unread.is_empty(), "no `mod` line declares {:?}", names.unread);
    let all = (0..names.modules.len()).flat_map(|module| names.imports_of(module));
    all.collect()
}

struct Names<'a> {
    sources: &'a Sources,
    /// The first is the crate.
    modules: Vec<Module>,
    unread: BTreeSet<String>,
}

impl Names<'_> {
    fn read(&mut self, file: &str, parent: Option<usize>, in_test: bool) -> usize {
        let text = self.sources.get(file).unwrap_or_else(|| panic!("{file} is declared and not there"));
        self.unread.remove(file);
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.read_items(file, parent, in_test, &parsed.items)
    }

    fn read_items(&mut self, file: &str, parent: Option<usize>, in_test: bool, items: &[Item]) -> usize {
        let module = self.modules.len();
        self.modules.push(Module { file: file.to_owned(), parent, ..Module::default() });
        let mut reader = Reader { module: Module::default(), in_test, inner: Vec::new() };
        for item in items {
            reader.visit_item(item);
            reader.module.items.extend(name_of(item));
        }
        let Reader { module: read, inner, .. } = reader;
        let entry = &mut self.modules[module];
        (entry.items, entry.uses, entry.paths) = (read.items, read.uses, read.paths);
        for (item, in_test) in inner {
            let name = item.ident.to_string();
            let child = match &item.content {
                Some((_, items)) => self.read_items(file, Some(module), in_test, items),
                None if named_file(&item.attrs).is_some() => {
                    let beside = file.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let path = named_file(&item.attrs).unwrap_or_default();
                    self.read(format!("{beside}/{path}").trim_start_matches('/'), Some(module), in_test)
                }
                None => {
                    let folder = self.folder(module, file);
                    let flat = format!("{folder}{name}.rs");
                    let deep = format!("{folder}{name}/mod.rs");
                    let file = if self.sources.contains_key(&flat) { flat } else { deep };
                    self.read(&file, Some(module), in_test)
                }
            };
            self.modules[module].children.insert(name, child);
        }
        module
    }

    /// Where the files of a module's children are.
    fn folder(&self, module: usize, file: &str) -> String {
        let is_inline = self.modules[module].parent.is_some_and(|parent| self.modules[parent].file == file);
        assert!(!is_inline, "{file}: a module in braces declares a file");
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        match name.strip_suffix(".rs") {
            Some("lib" | "main" | "mod") => folder,
            Some(name) => format!("{folder}{name}/"),
            None => unreachable!("{file}"),
        }
    }

    fn imports_of(&self, module: usize) -> Vec<Import> {
        let Module { file, uses, paths, .. } = &self.modules[module];
        let mut found = Vec::new();
        let mut add = |path: &[String], in_test: bool, is_use: bool| {
            let mut targets = self.resolve(module, path, 0);
            if targets.is_empty() && path[0] == "crate" {
                // What a macro made is an item of the last module that is named.
                targets = self.nearest_module(path).into_iter().collect();
            }
            for target in targets {
                let to = match &target {
                    Target::Item(file) => file,
                    // A path that ends at a module says nothing; what is used of it is another path.
                    Target::Module(other) if is_use => &self.modules[*other].file,
                    Target::Module(_) => continue,
                };
                // A module file names what its children have: that declares, and needs nothing of them.
                let declares = is_use && self.is_below(module, to);
                if to != file && !declares {
                    found.push(Import { from: file.clone(), to: to.clone(), path: path.join("::"), in_test });
                }
            }
        };
        for line in uses.iter().filter(|line| line.name.is_some()) {
            add(&line.path, line.in_test, true);
        }
        for (path, in_test) in paths {
            add(path, *in_test, false);
        }
        found
    }

    fn is_below(&self, module: usize, file: &str) -> bool {
        let children = &self.modules[module].children;
        children.values().any(|child| self.modules[*child].file == file || self.is_below(*child, file))
    }

    fn nearest_module(&self, path: &[String]) -> Option<Target> {
        let mut module = 0;
        for segment in &path[1..] {
            match self.modules[module].children.get(segment) {
                Some(child) => module = *child,
                None => break,
            }
        }
        (module != 0).then(|| Target::Item(self.modules[module].file.clone()))
    }

    fn resolve(&self, module: usize, path: &[String], depth: usize) -> BTreeSet<Target> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::from([Target::Module(module)]) };
        match (first.as_str(), self.modules[module].parent) {
            ("crate" | "$crate" | "execenv", _) => self.walk(0, rest, depth),
            ("self", _) => self.walk(module, rest, depth),
            ("super", Some(parent)) => self.resolve_above(parent, rest, depth),
            _ => self.walk(module, path, depth),
        }
    }

    fn resolve_above(&self, module: usize, rest: &[String], depth: usize) -> BTreeSet<Target> {
        match rest.first().map(String::as_str) {
            Some("super") => self.resolve(module, rest, depth),
            _ => self.walk(module, rest, depth),
        }
    }

    fn walk(&self, module: usize, path: &[String], depth: usize) -> BTreeSet<Target> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::from([Target::Module(module)]) };
        let found = self.look_up(module, first, depth);
        // A name may be a module and an item; what follows says which.
        let goes_on = |target: &Target| matches!(target, Target::Module(_)) && !rest.is_empty();
        let deeper = found.iter().any(goes_on);
        let mut targets = BTreeSet::new();
        for target in found {
            match target {
                Target::Module(inner) => targets.extend(self.walk(inner, rest, depth)),
                Target::Item(_) if deeper => {}
                Target::Item(_) => _ = targets.insert(target),
            }
        }
        targets
    }

    fn look_up(&self, module: usize, name: &str, depth: usize) -> BTreeSet<Target> {
        let Module { file, children, items, uses, .. } = &self.modules[module];
        let mut found = BTreeSet::new();
        found.extend(children.get(name).map(|child| Target::Module(*child)));
        found.extend(items.contains(name).then(|| Target::Item(file.clone())));
        // Two files may re-export each other's everything.
        if depth > 8 {
            return found;
        }
        for line in uses.iter().filter(|line| line.name.as_deref() == Some(name)) {
            // `use task::Task` beside `mod task` names the child; `use serde::Serialize` names nothing of ours.
            if line.path[0] != name || children.contains_key(name) || line.path.len() > 1 {
                found.extend(self.resolve(module, &line.path, depth + 1));
            }
        }
        if found.is_empty() {
            for glob in uses.iter().filter(|line| line.name.is_none()) {
                for target in self.resolve(module, &glob.path, depth + 1) {
                    if let Target::Module(inner) = target
                        && inner != module
                    {
                        found.extend(self.look_up(inner, name, depth + 1));
                    }
                }
            }
        }
        found
    }
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(ident.to_string())
}

/// Collects the paths of one module; modules in it are kept for later.
struct Reader {
    module: Module,
    in_test: bool,
    inner: Vec<(syn::ItemMod, bool)>,
}

impl Reader {
    fn path(&mut self, path: Vec<String>) {
        self.module.paths.insert((path, self.in_test));
    }

    fn use_tree(&mut self, tree: &UseTree, above: &[String]) {
        let with = |name: &syn::Ident| above.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        let (name, path) = match tree {
            UseTree::Path(inner) => return self.use_tree(&inner.tree, &with(&inner.ident)),
            UseTree::Group(group) => return group.items.iter().for_each(|tree| self.use_tree(tree, above)),
            UseTree::Name(name) if name.ident == "self" => (above.last().cloned(), above.to_vec()),
            UseTree::Name(name) => (Some(name.ident.to_string()), with(&name.ident)),
            UseTree::Rename(rename) if rename.ident == "self" => {
                (Some(rename.rename.to_string()), above.to_vec())
            }
            UseTree::Rename(rename) => (Some(rename.rename.to_string()), with(&rename.ident)),
            UseTree::Glob(_) => (None, above.to_vec()),
        };
        if !path.is_empty() {
            self.module.uses.push(Use { name, path, in_test: self.in_test });
        }
    }

    /// Paths in the tokens of a macro or an attribute, which nothing has parsed.
    fn tokens(&mut self, tokens: TokenStream, texts_are_paths: bool) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => path.push(ident.to_string()),
                TokenTree::Ident(ident) => {
                    self.path_of_tokens(std::mem::replace(&mut path, vec![ident.to_string()]));
                }
                // `{a, b}` after `::` is a `use` that a macro writes.
                TokenTree::Group(group) => {
                    let ended = std::mem::take(&mut path);
                    if colons == 2 && !ended.is_empty() {
                        self.group_of_tokens(&ended, group.stream());
                    }
                    self.path_of_tokens(ended);
                    self.tokens(group.stream(), texts_are_paths);
                }
                TokenTree::Literal(literal) => {
                    self.path_of_tokens(std::mem::take(&mut path));
                    let text = literal.to_string();
                    let parsed = syn::parse_str::<syn::Path>(text.trim_matches('"'));
                    if let (true, Ok(parsed)) = (texts_are_paths, parsed) {
                        self.visit_path(&parsed);
                    }
                }
                TokenTree::Punct(_) => self.path_of_tokens(std::mem::take(&mut path)),
            }
            colons = 0;
        }
        self.path_of_tokens(path);
    }

    fn path_of_tokens(&mut self, path: Vec<String>) {
        if !path.is_empty() {
            self.path(path);
        }
    }

    fn group_of_tokens(&mut self, above: &[String], group: TokenStream) {
        let above = above.join("::");
        if let Ok(line) = syn::parse_str::<syn::ItemUse>(&format!("use {above}::{{{group}}};")) {
            self.visit_item_use(&line);
        }
    }

    fn within(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.in_test;
        self.in_test |= attributes.iter().any(is_test);
        visit(self);
        self.in_test = before;
    }
}

/// The file of `#[path = "…"] mod name;`.
fn named_file(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`.
fn is_test(attribute: &Attribute) -> bool {
    let text = match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string(),
        meta => return meta.path().is_ident("test"),
    };
    let text: String = text.split_whitespace().collect();
    text == "test" || text.starts_with("all(") && text.contains("(test,")
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Const(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            Item::Type(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        self.within(attributes, |reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(&item.attrs, |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.inner.push((item.clone(), self.in_test));
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&item.tree, &[]);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        if let (true, Some((_, name))) = (item.ident == "self", &item.rename) {
            let path = vec!["crate".to_owned()];
            self.module.uses.push(Use { name: Some(name.to_string()), path, in_test: self.in_test });
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.visit_path(&invocation.path);
        self.tokens(invocation.tokens.clone(), false);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let is_doc = attribute.path().is_ident("doc");
        // `#[serde(with = "crate::formats")]` is a path in a text.
        match &attribute.meta {
            syn::Meta::List(list) => self.tokens(list.tokens.clone(), true),
            syn::Meta::NameValue(pair) if !is_doc => self.visit_expr(&pair.value),
            _ => {}
        }
    }

    /// `pub(in path)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}
