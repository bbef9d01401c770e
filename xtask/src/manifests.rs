//! What the manifests of our crates promise to each other and to those who use them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{Dependency, DependencyKind, Metadata, Package};

/// Crates of one release fit each other only: each names the others with exactly its own version.
pub(crate) fn loose_versions(metadata: &Metadata) -> Vec<String> {
    let ours = metadata.workspace_packages();
    let mut breaches = Vec::new();
    for package in &ours {
        for dependency in &package.dependencies {
            if let Some(other) = ours.iter().find(|other| *other.name == dependency.name) {
                let exact = format!("={}", other.version);
                // Without any version, it is left out of what is published.
                let unpublished =
                    dependency.kind == DependencyKind::Development && dependency.req.to_string() == "*";
                if dependency.req.to_string() != exact && !unpublished {
                    let (from, to, said) = (&package.name, &other.name, &dependency.req);
                    breaches.push(format!("{from} -> {to}: \"{said}\", not \"{exact}\""));
                }
            }
        }
        if package.version != ours[0].version {
            breaches.push(format!(
                "{} is {}, {} is {}: all are released together, so say version.workspace = true",
                package.name, package.version, ours[0].name, ours[0].version
            ));
        }
    }
    breaches
}

/// What is published depends on nothing that is not.
pub(crate) fn unpublished_dependencies(metadata: &Metadata) -> Vec<String> {
    let ours = metadata.workspace_packages();
    let is_published =
        |package: &Package| package.publish.as_ref().is_none_or(|registries| !registries.is_empty());
    let mut breaches = Vec::new();
    for package in ours.iter().filter(|package| is_published(package)) {
        let needed = package.dependencies.iter().filter(|needed| needed.kind != DependencyKind::Development);
        for needed in needed {
            let other = ours.iter().find(|other| *other.name == needed.name);
            if other.is_some_and(|other| !is_published(other)) {
                breaches.push(format!("{} -> {}, which says publish = false", package.name, needed.name));
            }
        }
    }
    breaches
}

/// Dependencies that no file of their crate names.
pub(crate) fn unused_dependencies(metadata: &Metadata) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
        let mut text = String::new();
        for below in ["src", "tests", "benches", "examples", "build.rs"] {
            read(folder.join(below).as_std_path(), &mut text)?;
        }
        let unused = package.dependencies.iter().filter(|dependency| !names(&text, dependency));
        breaches.extend(unused.map(|dependency| {
            format!("{} names {} nowhere: take it out of its Cargo.toml", package.name, dependency.name)
        }));
    }
    Ok(breaches)
}

/// Adds the text of the Rust files at a path, if there is one.
fn read(path: &Path, text: &mut String) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
            read(&entry?.path(), text)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") && path.exists() {
        let read =
            |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        let code = read(path)?;
        // Documents whose examples are tested belong to the crate.
        let included = code.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
        for document in included.filter(|name| name.ends_with(".md")) {
            text.push_str(&read(&path.with_file_name(document))?);
        }
        text.push_str(&code);
    }
    Ok(())
}

fn names(text: &str, dependency: &Dependency) -> bool {
    let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use cargo_metadata::MetadataCommand;

    use super::*;

    /// What `look` finds in a workspace of a library and a program that depends on it.
    fn workspace<T>(version: &str, publish: bool, code: &str, look: impl Fn(&Metadata) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (name, more) in [
            ("low", format!("publish = {publish}\n")),
            ("high", format!("[dependencies]\nlow = {{ path = \"../low\", version = \"{version}\" }}\n")),
        ] {
            fs::create_dir_all(folder.join(name).join("src")).unwrap();
            let manifest =
                format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{more}");
            fs::write(folder.join(name).join("Cargo.toml"), manifest).unwrap();
            fs::write(folder.join(name).join("src/lib.rs"), code).unwrap();
        }
        let root = "[workspace]\nresolver = \"3\"\nmembers = [\"low\", \"high\"]\n";
        fs::write(folder.join("Cargo.toml"), root).unwrap();
        let offline = ["--offline".to_owned()];
        look(&MetadataCommand::new().current_dir(folder).other_options(offline).exec().unwrap())
    }

    #[test]
    fn an_internal_version_must_be_exact() {
        assert_eq!(workspace("=0.1.0", true, "", loose_versions), Vec::<String>::new());
        let breaches = workspace("0.1.0", true, "", loose_versions);
        assert_eq!(breaches, ["high -> low: \"^0.1.0\", not \"=0.1.0\""]);
    }

    #[test]
    fn what_is_published_needs_only_what_is() {
        assert_eq!(workspace("=0.1.0", true, "", unpublished_dependencies), Vec::<String>::new());
        let breaches = workspace("=0.1.0", false, "", unpublished_dependencies);
        assert_eq!(breaches, ["high -> low, which says publish = false"]);
    }

    #[test]
    fn a_dependency_that_no_file_names_is_found() {
        let unused = |code| workspace("0.1", true, code, unused_dependencies).unwrap();
        assert_eq!(unused("use low::x;"), Vec::<String>::new());
        assert_eq!(unused("fn lower() {}"), ["high names low nowhere: take it out of its Cargo.toml"]);
    }
}
