//! From the bytes of files to scanned files: the prefilter, the bounds, and what can't be read.
//!
//! Two passes on all cores: the first reads every file and keeps the texts of interest, the second parses them and runs the
//! lints that need one file. Invariants: at most [`MAX_KEPT`] bytes of texts are kept; a file that isn't looked at and might
//! have had a Secret in it is a finding, and an error where a bound is why; only manifests are kept, so that no number of
//! other files keeps a private key from being found.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use seal_documents::source::Source;
use seal_foreign::word;

use super::finding::Finding;
use super::interest::{Interest, interest, is_manifest};
use super::links::{Links, TooMany};
use super::lint::{Lint, Severity};
use super::lints;
use super::scanned::{Origin, Scanned};
use super::tree::{FileContent, Tree};
use crate::files::git::{Content, GitError, Introduced};
use crate::files::repository::{Task, on_all_cores};
use crate::files::text::{Encoding, decoded, lossy, names_a_secret};

/// The most bytes of texts of one tree that are kept. The threat is a repository of a hundred files of 60 MB that all
/// mention a Secret: parsed, a text takes three to fifteen times its length, and all are kept to be compared.
const MAX_KEPT: usize = 256 * 1024 * 1024;

const READING: Task = Task::new("reading", "file");
const CHECKING: Task = Task::new("checking", "file");

/// The hint for templates.
pub(crate) const TEMPLATES: &str = "check the result: helm template … | seal check -";

/// A text of interest.
pub(crate) struct Text {
    path: String,
    source: Source,
    encoding: Encoding,
    origin: Origin,
    /// The commit that brought it in, for [`Origin::Past`].
    commit: Option<String>,
}

/// The texts of interest of a tree, and what is known of its other files.
#[derive(Default)]
pub(crate) struct Texts {
    texts: Vec<Text>,
    /// Findings about files that aren't among the texts.
    findings: Vec<Finding>,
    /// All paths of the tree.
    pub(crate) paths: BTreeSet<String>,
    pub(crate) links: Links,
    /// The paths of texts that were left out, since another tree has the same ones.
    pub(crate) unchanged: BTreeSet<String>,
    /// The files that commits of a range brought in, of no interest by themselves: path and commit.
    pub(crate) unread: Vec<(String, String)>,
    /// How many bytes of texts are kept.
    kept: AtomicUsize,
}

/// What the second pass makes of texts.
pub(crate) struct Files<'t> {
    pub(crate) files: Vec<Scanned<'t>>,
    pub(crate) findings: Vec<Finding>,
    /// How many files have templates in them that weren't rendered, and speak of Secrets there.
    pub(crate) templates: usize,
}

/// What becomes of one file in the first pass.
enum Look {
    Nothing,
    Kept(Text),
    Findings(Vec<Finding>),
}

impl Text {
    /// A text from elsewhere than a tree.
    pub(crate) fn new(path: &str, bytes: Vec<u8>, origin: Origin, commit: Option<String>) -> Self {
        let (bytes, encoding) = decoded(bytes);
        Self { path: path.to_owned(), source: source(path, bytes), encoding, origin, commit }
    }

    /// The text parsed.
    pub(crate) fn scanned(&self) -> Scanned<'_> {
        let mut file = Scanned::manifest(&self.path, &self.source, self.origin);
        file.commit = self.commit.as_deref();
        file
    }
}

fn source(path: &str, bytes: Vec<u8>) -> Source {
    Source::new(path.to_owned(), lossy(bytes))
}

impl Texts {
    /// Reads all files of a tree. `must_read` are files that the user named: they are of interest whatever is in them.
    pub(crate) fn of(
        tree: &Tree<'_>,
        origin: Origin,
        must_read: &BTreeSet<String>,
    ) -> Result<Self, GitError> {
        let kept = AtomicUsize::new(0);
        let looks =
            tree.read(READING, |path, content| look(path, content, origin, must_read.contains(path), &kept))?;
        // A link isn't read, and is a file that a commit has.
        let paths = tree.paths().map(str::to_owned).chain(tree.link_paths()).collect();
        let mut texts = Self { paths, links: Links::of(tree)?, ..Self::default() };
        looks.into_iter().for_each(|look| texts.add(look, None));

        let is_new = |path: &String| !is_manifest(path) && !must_read.contains(path);
        let listed = texts.named_by_kustomizations();
        let manifests = texts.paths.iter().filter(|path| is_manifest(path)).cloned();
        let behind = texts.links.behind(manifests.chain(listed.clone())).unwrap_or_else(|TooMany| {
            texts.findings.push(texts.links.too_many());
            BTreeSet::new()
        });
        let mut named: BTreeSet<String> = listed.into_iter().chain(behind).filter(is_new).collect();
        // The name of such a file tells that it is a manifest, and no word in it that it is about a Secret.
        named.extend(texts.patches_of_secrets());
        if !named.is_empty() {
            let looks = tree.read_only(
                READING,
                |path| named.contains(path),
                |path, content| look(path, content, origin, true, &kept),
            )?;
            looks.into_iter().for_each(|look| texts.add(look, None));
            texts.texts.sort_by(|one, other| one.path.cmp(&other.path));
        }
        Ok(texts)
    }

    /// The files that kustomizations take for manifests, whatever their names are.
    fn named_by_kustomizations(&self) -> Vec<String> {
        let named = |text: &Text| lints::files_of_kustomization(&text.path, text.source.text());
        self.texts.iter().flat_map(named).collect()
    }

    /// The files with patches of Secrets that kustomizations name, and that aren't among the texts.
    fn patches_of_secrets(&self) -> Vec<String> {
        let kept: BTreeSet<&str> = self.kept().collect();
        let named =
            self.kustomizations().flat_map(|text| lints::files_of_patches(&text.path, text.source.text()));
        named.filter(|path| !kept.contains(path.as_str())).collect()
    }

    /// Adds a text from elsewhere, behind all others.
    pub(crate) fn push(&mut self, text: Text) {
        self.texts.push(text);
    }

    /// Adds a file that a commit of a range brought in, if it is of interest by itself or named by a kustomization.
    pub(crate) fn push_past(&mut self, file: &Introduced, content: Content, is_named: bool) {
        let path = file.entry.path.to_string_lossy();
        let look = look(&path, FileContent::from(content), Origin::Past, is_named, &self.kept);
        let commit = file.commit.short().to_owned();
        if matches!(look, Look::Nothing) {
            self.unread.push((path.into_owned(), commit));
        } else {
            self.add(look, Some(commit));
        }
    }

    /// The kustomizations.
    pub(crate) fn kustomizations(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().filter(|text| lints::is_kustomization(&text.path))
    }

    /// The files beneath a tree that its kustomizations name as manifests or patches.
    pub(crate) fn named(&self) -> impl Iterator<Item = String> {
        let named = |text: &Text| {
            let text = (text.path.as_str(), text.source.text());
            [lints::files_of_kustomization(text.0, text.1), lints::files_of_patches(text.0, text.1)].concat()
        };
        self.kustomizations().flat_map(named)
    }

    fn add(&mut self, look: Look, commit: Option<String>) {
        match look {
            Look::Nothing => {}
            Look::Kept(text) => self.texts.push(Text { commit, ..text }),
            Look::Findings(findings) => {
                let of_commit = |finding| Finding { commit: commit.clone(), ..finding };
                self.findings.extend(findings.into_iter().map(of_commit));
            }
        }
    }

    /// The paths of the texts.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| text.path.as_str())
    }

    /// Only the texts that another tree doesn't have under the same path.
    pub(crate) fn without(mut self, other: &Self) -> Self {
        let theirs: HashMap<&str, &str> =
            other.texts.iter().map(|text| (text.path.as_str(), text.source.text())).collect();
        let (same, other): (Vec<_>, Vec<_>) = self
            .texts
            .into_iter()
            .partition(|text| theirs.get(text.path.as_str()) == Some(&text.source.text()));
        self.unchanged = same.into_iter().map(|text| text.path).collect();
        self.texts = other;
        self
    }

    /// Parses the texts, and runs no lint.
    pub(crate) fn scanned(&self) -> Vec<Scanned<'_>> {
        on_all_cores(READING, self.texts.iter().collect(), Text::scanned)
    }

    /// The texts of these paths, parsed.
    pub(crate) fn scanned_of(&self, paths: &BTreeSet<String>) -> Vec<Scanned<'_>> {
        self.texts.iter().filter(|text| paths.contains(&text.path)).map(Text::scanned).collect()
    }

    /// Parses the texts, and runs the lints that need one file.
    pub(crate) fn parse(&self) -> Files<'_> {
        let parsed = on_all_cores(CHECKING, self.texts.iter().collect(), |text: &Text| {
            let file = text.scanned();
            let mut findings = Vec::new();
            lints::of_file(&file, &mut findings);
            let has_templates = unread(text, &file, &mut findings);
            for finding in &mut findings {
                if text.origin == Origin::Rendered && finding.lint == Lint::Plaintext {
                    finding.hint = Some("seal it in the file that it is rendered from".to_owned());
                }
                finding.commit.clone_from(&text.commit);
                finding.position = finding.at.map(|at| file.position(at));
            }
            (file, findings, has_templates)
        });
        let mut files = Files { files: Vec::new(), findings: self.findings.clone(), templates: 0 };
        for (file, findings, has_templates) in parsed {
            files.files.push(file);
            files.findings.extend(findings);
            files.templates += usize::from(has_templates);
        }
        files
    }
}

fn look(path: &str, content: FileContent, origin: Origin, is_named: bool, kept: &AtomicUsize) -> Look {
    let is_manifest = is_named || is_manifest(path);
    let unread = |why: &str| {
        let hint = "if it has no Secrets, list it under ignore in .seal.yaml";
        Finding::new(Lint::Unreadable, path, why).hint(hint)
    };
    let bytes = match content {
        FileContent::Bytes(bytes) => bytes,
        FileContent::Gone => return Look::Nothing,
        FileContent::TooLarge => {
            let finding = unread("this is larger than 64 MiB, and wasn't looked at");
            // A film or a model is as large, and no tool takes it for an object.
            let finding = if is_manifest { finding.raised() } else { finding.only(Severity::Note) };
            return Look::Findings(vec![finding]);
        }
        FileContent::Unread(why) if is_manifest => {
            return Look::Findings(vec![unread(&format!("this can't be read: {}", word(&why)))]);
        }
        FileContent::Unread(_) => return Look::Nothing,
    };
    let (bytes, encoding) = decoded(bytes);
    let interest = interest(path, &bytes);
    if interest == Interest::None && !is_named {
        return Look::Nothing;
    }
    let length = bytes.len();
    let bytes = if is_manifest || encoding != Encoding::Other { bytes } else { in_ascii(bytes) };
    let source = source(path, bytes);
    if !is_manifest {
        return Look::Findings(keys_of(path, &source, origin));
    }
    if kept.fetch_add(length, Ordering::Relaxed) + length > MAX_KEPT {
        let why =
            "the files that speak of Secrets are larger than 256 MiB together; this one wasn't looked at";
        return Look::Findings([vec![unread(why).raised()], keys_of(path, &source, origin)].concat());
    }
    Look::Kept(Text { path: path.to_owned(), source, encoding, origin, commit: None })
}

/// Other bytes than those of ASCII as question marks: U+FFFD would make three bytes of each, in as many files as there are
/// cores. No key has one.
fn in_ascii(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
    bytes
}

/// The private keys of a text that isn't kept.
fn keys_of(path: &str, source: &Source, origin: Origin) -> Vec<Finding> {
    let file = Scanned::text(path, source, origin);
    let mut findings = lints::private_keys(path, source.text());
    for finding in &mut findings {
        finding.position = finding.at.map(|at| file.position(at));
    }
    findings
}

/// Finds what couldn't be read and names a Secret. Returns whether there are templates that weren't rendered: they aren't
/// wrong, and are counted.
fn unread(text: &Text, file: &Scanned<'_>, findings: &mut Vec<Finding>) -> bool {
    let encoding = match text.encoding {
        Encoding::Utf8 => None,
        Encoding::Utf16 => Some("this is text in UTF-16"),
        Encoding::Other => Some("this names a Secret and isn't text in UTF-8"),
    };
    if let Some(what) = encoding.filter(|_| names_a_secret(text.source.text())) {
        findings.push(Finding::new(Lint::Unreadable, file.path, what).hint("write it in UTF-8"));
    }
    let Some(manifest) = &file.manifest else { return false };
    // Markers of a conflict say better why it can't be read.
    if findings.iter().any(|finding| finding.lint == Lint::ConflictMarker) {
        return false;
    }
    let mut has_templates = false;
    for part in &manifest.unread {
        if !names_a_secret(&text.source.text()[part.range.clone()]) {
            continue;
        }
        if part.is_template {
            has_templates = true;
            continue;
        }
        // A reader with other bounds, or none for a comment, may take it for what it names.
        let message = format!("this names a Secret and can't be read: {}", part.error);
        let finding = file.finding(Lint::Unreadable, part.at, message).raised();
        findings.push(match part.error.hint() {
            Some(hint) => finding.hint(hint),
            None => finding,
        });
    }
    has_templates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_at(path: &str, content: FileContent) -> (Vec<String>, bool) {
        let mut texts = Texts::default();
        texts.add(look(path, content, Origin::Tree, false, &AtomicUsize::new(0)), None);
        let files = texts.parse();
        let unreadable = files.findings.iter().filter(|finding| finding.lint == Lint::Unreadable);
        (unreadable.map(|finding| finding.message.clone()).collect(), files.templates > 0)
    }

    fn bytes(text: &[u8]) -> FileContent {
        FileContent::Bytes(text.to_vec())
    }

    #[test]
    fn a_file_that_names_a_secret_and_cannot_be_read_is_a_finding_and_never_an_end() {
        let (found, _) = look_at("a.yaml", bytes(b"kind: Secret\nstringData: {a: [}\n"));
        assert!(found[0].starts_with("this names a Secret and can't be read: this isn't YAML"), "{found:?}");
        let (found, _) = look_at("a.yaml", bytes(b"kind: Secret\nstringData: {a: \xff}\n"));
        assert_eq!(found, ["this names a Secret and isn't text in UTF-8"]);
        let (found, _) = look_at("a.json", bytes(b"{\"kind\": \"Secret\", \"data\": {}}}\n"));
        assert_eq!(found.len(), 1);
        // A bound is none of a template.
        let deep = format!("kind: \"\\x53ecret\" # {{{{ x }}}}\nx: {}{}\n", "[".repeat(200), "]".repeat(200));
        assert_eq!(look_at("a.yaml", bytes(deep.as_bytes())).0.len(), 1);
        assert_eq!(look_at("a.yaml", FileContent::TooLarge).0.len(), 1);
        assert_eq!(look_at("a.yaml", FileContent::Unread("permission denied".to_owned())).0.len(), 1);
        for (path, content) in [
            ("a.yaml", bytes(b"# Secret\na: [}\n")),
            ("a.md", bytes(b"kind: Secret\nstringData: {a: [}\n")),
            ("a.yaml", FileContent::Gone),
        ] {
            assert_eq!(look_at(path, content), (vec![], false), "{path}");
        }
    }

    /// The rule and severity of each finding.
    fn told(path: &str, content: FileContent, kept: usize) -> Vec<String> {
        let mut texts = Texts::default();
        texts.add(look(path, content, Origin::Tree, false, &AtomicUsize::new(kept)), None);
        let told = |finding: &Finding| format!("{} {}", finding.lint.name(), finding.severity.as_str());
        texts.parse().findings.iter().map(told).collect()
    }

    const SECRET: &str = "apiVersion: v1\nkind: Secret\nstringData: {a: x}\n";

    #[test]
    fn a_text_in_utf_16_is_read_as_kubectl_reads_it() {
        let identity = seal_crds::keys::Identity::generate();
        let little = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let big = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
        for text in [[vec![0xff, 0xfe], little(SECRET)].concat(), [vec![0xfe, 0xff], big(SECRET)].concat()] {
            assert_eq!(told("a.yaml", bytes(&text), 0), ["plaintext error", "unreadable warning"]);
        }
        let key = [vec![0xff, 0xfe], little(&identity.to_secret_string())].concat();
        assert_eq!(told("key.txt", bytes(&key), 0), ["private-key error"]);
    }

    #[test]
    fn wrong_bytes_hide_nothing() {
        let text = [b"# caf\xe9\n", SECRET.as_bytes()].concat();
        assert_eq!(told("a.yaml", bytes(&text), 0), ["plaintext error", "unreadable warning"]);
        let key = seal_crds::keys::Identity::generate().to_secret_string();
        let text = [b"\0\xff\n", key.as_bytes()].concat();
        assert_eq!(told("backup.tar", bytes(&text), 0), ["private-key error"]);
    }

    #[test]
    fn a_passed_bound_is_an_error_and_hides_no_key() {
        let key = seal_crds::keys::Identity::generate().to_secret_string();
        assert_eq!(told("key.txt", bytes(key.as_bytes()), MAX_KEPT), ["private-key error"]);
        assert_eq!(told("a.yaml", bytes(SECRET.as_bytes()), MAX_KEPT), ["unreadable error"]);
        assert_eq!(told("a.yaml", FileContent::TooLarge, 0), ["unreadable error"]);
        assert_eq!(told("a.mp4", FileContent::TooLarge, 0), ["unreadable note"]);
    }

    #[test]
    fn a_template_of_helm_is_counted_and_the_documents_around_it_are_read() {
        let text = b"{{ if .x }}\nkind: Secret\n{{ end }}\n---\nkind: Secret\nstringData: [}\n";
        let (found, has_templates) = look_at("a.yaml", bytes(text));
        assert_eq!((found.len(), has_templates), (1, true));
    }

    #[test]
    fn texts_are_kept_up_to_a_bound() {
        let kept = AtomicUsize::new(MAX_KEPT);
        let look = look("a.yaml", bytes(b"kind: Secret"), Origin::Tree, false, &kept);
        assert!(matches!(look, Look::Findings(_)));
    }
}
