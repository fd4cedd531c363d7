//! Values that a `secretGenerator` of kustomize takes from the repository: literals, and files that Git would commit.
//!
//! A file that Git ignores is made by somebody on the spot, and is no finding; nor is one that is encrypted, a certificate
//! without its key, or a literal that is a placeholder. Of a file that nobody read, only the name tells. Invariant: a
//! finding is of one literal or one file.

use seal_documents::manifest::shown;
use seal_documents::yaml::tree::{NodeId, Tree, parse};
use seal_foreign::word;

use super::kustomize::{items, join};
use super::{Load, Loaded, plaintext};
use crate::check::finding::Finding;
use crate::check::lint::Lint;

/// The values of the generators of one kustomization.
pub(super) fn in_kustomization(path: &str, tree: &Tree<'_>, load: Load<'_, '_>) -> Vec<Finding> {
    let list = |key: &str| {
        let list = tree.root.and_then(|root| tree.get(root, key));
        list.map(|list| items(tree, list)).unwrap_or_default()
    };
    let generators = list("secretGenerator").iter();
    let mut found: Vec<Finding> = generators
        .flat_map(|generator| Generator { path, tree, node: *generator, load }.findings())
        .collect();
    // Generators that are objects stand in files, or in place.
    for &inline in list("generators") {
        let Some(text) = tree.scalar(inline).filter(|text| text.contains('\n')) else { continue };
        for inner in parse(text, 0).unwrap_or_default() {
            let at = tree.range(inline).start;
            found.extend(as_object(path, &inner, load).into_iter().map(|finding| finding.at(at)));
        }
    }
    found
}

/// The values of a document that is a SecretGenerator, which a kustomization may name among its `generators`.
pub(super) fn as_object(path: &str, tree: &Tree<'_>, load: Load<'_, '_>) -> Vec<Finding> {
    let field = |root: NodeId, key: &str| tree.get(root, key).and_then(|value| tree.scalar(value));
    let is_generator = |root: &NodeId| {
        field(*root, "apiVersion") == Some("builtin") && field(*root, "kind") == Some("SecretGenerator")
    };
    let root = tree.root.filter(is_generator);
    root.map(|node| Generator { path, tree, node, load }.findings()).unwrap_or_default()
}

struct Generator<'t, 'a, 'l> {
    path: &'t str,
    tree: &'t Tree<'a>,
    node: NodeId,
    load: Load<'t, 'l>,
}

impl Generator<'_, '_, '_> {
    fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for &literal in self.list("literals") {
            let text = self.tree.scalar(literal).unwrap_or_default();
            let Some((key, value)) = text.split_once('=') else { continue };
            let value = value.trim_matches(['"', '\'']);
            if plaintext::is_value(value) {
                let message = format!("literal {} of {} is in plaintext", shown(key), self.name());
                found.push(self.finding(literal, message, shown(key)));
            }
        }
        let single = self.tree.get(self.node, "env");
        for list in ["files", "envs"] {
            for &entry in self.list(list).iter().chain(single.iter().filter(|_| list == "envs")) {
                let text = self.tree.scalar(entry).unwrap_or_default();
                // `KEY=PATH`; the path alone is a key too.
                let file =
                    if list == "files" { text.split_once('=').map_or(text, |(_, file)| file) } else { text };
                let directory = self.path.rsplit_once('/').map_or("", |(directory, _)| directory);
                let target = join(directory, file);
                let is_told = |target: &String| match (self.load)(target) {
                    Loaded::Absent => false,
                    Loaded::Unread => !is_public_by_name(target),
                    Loaded::Text(content) => is_plain(content),
                };
                if let Some(target) = target.filter(is_told) {
                    let message = format!(
                        "{} of {} is in plaintext, and would be committed",
                        word(&target),
                        self.name()
                    );
                    found.push(self.finding(entry, message, word(file)).with(&target));
                }
            }
        }
        found
    }

    fn finding(&self, node: NodeId, message: String, item: String) -> Finding {
        let finding = Finding::new(Lint::PlaintextGenerator, self.path, message);
        let hint = format!(
            "make a SealedSecret of it (seal create {}), and list that under resources",
            self.plain_name()
        );
        finding.at(self.tree.range(node).start).of(self.plain_name()).item(item).hint(hint)
    }

    fn name(&self) -> String {
        format!("secretGenerator {}", self.plain_name())
    }

    fn plain_name(&self) -> String {
        // An object has its name in its metadata.
        let metadata = self.tree.get(self.node, "metadata").unwrap_or(self.node);
        let text = |key: &str| self.tree.get(metadata, key).and_then(|value| self.tree.scalar(value));
        let name = word(text("name").unwrap_or("(no name)"));
        text("namespace").map_or(name.clone(), |namespace| format!("{}/{name}", word(namespace)))
    }

    fn list(&self, key: &str) -> &[NodeId] {
        self.tree.get(self.node, key).map(|list| items(self.tree, list)).unwrap_or_default()
    }
}

/// Whether a file has something to hide, and doesn't hide it.
fn is_plain(content: &str) -> bool {
    let is_encrypted = content.contains("ENC[AES256_GCM,")
        || content.starts_with("age-encryption.org/")
        || content.starts_with("-----BEGIN AGE ENCRYPTED FILE");
    let is_certificate = content.contains("-----BEGIN CERTIFICATE-----") && !content.contains("PRIVATE KEY");
    let lines = content.lines().map(str::trim);
    let is_empty = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).all(|line| {
        // `NAME=` in an env file, and `NAME=${NAME}`.
        line.split_once('=').is_some_and(|(_, value)| !plaintext::is_value(value.trim_matches(['"', '\''])))
    });
    !is_encrypted && !is_certificate && !is_empty
}

/// Whether a file's name says that it is a certificate, or encrypted.
fn is_public_by_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let kinds = [".crt", ".cer", ".age", ".gpg", ".asc", ".pub", ".enc", ".sops"];
    kinds.iter().any(|kind| name.ends_with(kind))
        || [".enc.", ".sops."].iter().any(|mark| name.contains(mark))
        || name == "ca.pem"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let load = |path: &str| {
            let text = match path {
                "a/password.txt" => "hunter2",
                "a/.env" => "# comment\nPASSWORD=hunter2\n",
                "a/empty.env" => "PASSWORD=\nUSER=${USER}\n# x\n",
                "a/sops.env" => "PASSWORD=ENC[AES256_GCM,data:x]\n",
                "a/tls.crt" => "-----BEGIN CERTIFICATE-----\nMIIB\n",
                "a/tls.key" => "-----BEGIN PRIVATE KEY-----\nMIIB\n",
                "a/unread.txt" | "a/unread.crt" | "a/.enc.env" | "a/p.encoded" | "a/mica.pem"
                | "a/ca.pem" => {
                    return Loaded::Unread;
                }
                _ => return Loaded::Absent,
            };
            Loaded::Text(text)
        };
        let trees = parse(text, 0).unwrap();
        let findings = in_kustomization("a/kustomization.yaml", &trees[0], &load);
        assert!(findings.iter().all(|found| !found.message.contains("hunter2")));
        findings
            .into_iter()
            .map(|found| format!("{} {}", found.place.unwrap(), found.item.unwrap()))
            .collect()
    }

    #[test]
    fn literals_and_tracked_files_are_findings() {
        let text = "secretGenerator:\n- name: db\n  namespace: prod\n  literals: [password=hunter2, \"user='app'\"]\n  files: \
                    [password.txt, key=tls.key, unread.txt]\n- {name: env, envs: [.env]}\n- {name: old, env: .env}\n";
        let expected = [
            "prod/db password",
            "prod/db user",
            "prod/db password.txt",
            "prod/db tls.key",
            "prod/db unread.txt",
            "env .env",
            "old .env",
        ];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn a_generator_that_is_an_object_is_one() {
        let object =
            "apiVersion: builtin\nkind: SecretGenerator\nmetadata: {name: db}\nliterals: [p=hunter2]\n";
        let text = format!("generators:\n- |\n  {}\n", object.replace('\n', "\n  "));
        assert_eq!(found(&text), ["db p"]);
        let trees = parse(object, 0).unwrap();
        assert_eq!(as_object("a/gen.yaml", &trees[0], &|_| Loaded::Absent).len(), 1);
    }

    #[test]
    fn a_placeholder_in_a_value_and_a_name_that_is_only_alike_hide_nothing() {
        let text = "secretGenerator: [{name: a, literals: ['dsn=postgres://u:hunter2@${HOST}/x'], files: [p.encoded, mica.pem, \
                    ca.pem]}]";
        assert_eq!(found(text), ["a dsn", "a p.encoded", "a mica.pem"]);
    }

    #[test]
    fn ignored_encrypted_public_and_empty_things_are_none() {
        for text in [
            "secretGenerator: [{name: a, literals: [a=, \"b=${B}\", c]}]",
            "secretGenerator: [{name: a, files: [ignored.txt, tls.crt, unread.crt], envs: [empty.env, sops.env, .enc.env]}]",
            "secretGenerator: [{name: a, files: ['../../outside']}]",
            "configMapGenerator: [{name: a, literals: [password=x]}]",
            "secretGenerator: {}",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
