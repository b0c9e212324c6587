//! Every item that is used outside of its file has a doc comment. The compiler asks that of public items only, and the
//! library is private.

use syn::visit::{self, Visit};
use syn::{Attribute, Field, Fields, ImplItemFn, Item, Variant, Visibility};

use crate::imports::sources;

/// Types whose fields or variants are explained where they stand, by one sentence or by their help.
const NAMES_SAY_IT: &[&str] = &["Cli", "Command", "Exit"];
/// Files whose fields are those of a document of multica's; the types say what they are.
const DOCUMENTS: &[&str] = &["task/document.rs", "gc/usage.rs"];

struct Undocumented {
    file: String,
    found: Vec<String>,
}

impl Undocumented {
    fn ask(&mut self, attributes: &[Attribute], visibility: &Visibility, name: &str) {
        let is_outside = matches!(visibility, Visibility::Public(_));
        if is_outside && !is_documented(attributes) {
            self.found.push(format!("{}: {name}", self.file));
        }
    }

    fn fields(&mut self, owner: &str, fields: &Fields) {
        if NAMES_SAY_IT.contains(&owner) || DOCUMENTS.contains(&&*self.file) {
            return;
        }
        for Field { attrs, vis, ident, .. } in fields {
            if let Some(name) = ident {
                self.ask(attrs, vis, &format!("{owner}.{name}"));
            }
        }
    }
}

fn is_documented(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("doc"))
}

fn is_test(attributes: &[Attribute]) -> bool {
    let is_cfg_test = |attribute: &Attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    };
    attributes.iter().any(is_cfg_test)
}

impl<'ast> Visit<'ast> for Undocumented {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Const(item) => self.ask(&item.attrs, &item.vis, &item.ident.to_string()),
            Item::Enum(item) => {
                let name = item.ident.to_string();
                self.ask(&item.attrs, &item.vis, &name);
                if matches!(item.vis, Visibility::Public(_)) && !NAMES_SAY_IT.contains(&&*name) {
                    for Variant { attrs, ident, .. } in &item.variants {
                        self.ask(attrs, &item.vis, &format!("{name}::{ident}"));
                    }
                }
            }
            Item::Fn(item) => self.ask(&item.attrs, &item.vis, &item.sig.ident.to_string()),
            Item::Mod(item) if is_test(&item.attrs) => return,
            Item::Static(item) => self.ask(&item.attrs, &item.vis, &item.ident.to_string()),
            Item::Struct(item) => {
                self.ask(&item.attrs, &item.vis, &item.ident.to_string());
                if matches!(item.vis, Visibility::Public(_)) {
                    self.fields(&item.ident.to_string(), &item.fields);
                }
            }
            Item::Trait(item) => self.ask(&item.attrs, &item.vis, &item.ident.to_string()),
            Item::Type(item) => self.ask(&item.attrs, &item.vis, &item.ident.to_string()),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.ask(&item.attrs, &item.vis, &item.sig.ident.to_string());
    }
}

fn undocumented(file: &str, text: &str) -> Vec<String> {
    let mut visitor = Undocumented { file: file.to_owned(), found: Vec::new() };
    visitor.visit_file(&syn::parse_file(text).unwrap());
    visitor.found
}

#[test]
fn what_is_used_outside_of_its_file_is_documented() {
    let is_test =
        |file: &str| file.contains("/tests") || file.contains("_tests.rs") || file.contains("fixture");
    let sources = sources().into_iter().filter(|(file, _)| !is_test(file));
    let found: Vec<String> = sources.flat_map(|(file, text)| undocumented(&file, &text)).collect();
    assert!(found.is_empty(), "{} items without a doc comment:\n{}", found.len(), found.join("\n"));
}

#[test]
fn an_item_without_a_comment_is_found() {
    let text = "pub struct A { pub b: u8, c: u8 } /// Why.\npub fn d() {} pub enum E { /// Why.\nF, G }
        impl A { pub fn h() {} fn i() {} } fn j() {} #[cfg(test)] mod tests { pub fn k() {} }";
    assert_eq!(
        undocumented("x.rs", text),
        ["A", "A.b", "E", "E::G", "h"].map(|name| format!("x.rs: {name}"))
    );
}
