//! From the bytes of files to scanned files: the prefilter, the bounds, and what can't be read.
//!
//! Two passes on all cores: the first reads every file and keeps the texts of interest, the second parses them and runs the
//! lints that need one file. Invariants: at most [`MAX_KEPT`] bytes of texts are kept; a file that isn't looked at and might
//! have had a Secret in it is a finding.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use seal_documents::source::Source;
use seal_foreign::word;
use zeroize::Zeroizing;

use super::finding::Finding;
use super::interest::{Interest, interest, is_manifest, names_a_secret};
use super::lint::Lint;
use super::lints;
use super::scanned::{Origin, Scanned};
use super::tree::{FileContent, Tree};
use crate::files::git::{Content, GitError, Introduced};
use crate::files::repository::on_all_cores;

/// The most bytes of texts of one tree that are kept. The threat is a repository of a hundred files of 60 MB that all
/// mention a Secret: parsed, a text takes three to fifteen times its length, and all are kept to be compared.
const MAX_KEPT: usize = 256 * 1024 * 1024;

/// The hint for templates.
pub(crate) const TEMPLATES: &str = "check the result: helm template … | seal check -";

/// A text of interest.
pub(crate) struct Text {
    path: String,
    source: Source,
    origin: Origin,
    is_manifest: bool,
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
    /// The paths of texts that were left out, since another tree has the same ones.
    pub(crate) unchanged: BTreeSet<String>,
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
    Finding(Finding),
}

impl Text {
    /// A text from elsewhere than a tree.
    pub(crate) fn new(path: &str, bytes: Vec<u8>, origin: Origin, commit: Option<String>) -> Self {
        let (source, is_utf8) = source(path, bytes);
        // Objects on standard input are objects whatever their name is.
        let is_manifest = is_utf8 && (origin == Origin::Rendered || is_manifest(path));
        Self { path: path.to_owned(), source, origin, is_manifest, commit }
    }
}

impl Text {
    fn scanned(&self) -> Scanned<'_> {
        let mut file = if self.is_manifest {
            Scanned::manifest(&self.path, &self.source, self.origin)
        } else {
            Scanned::text(&self.path, &self.source, self.origin)
        };
        file.commit = self.commit.as_deref();
        file
    }
}

/// The text of a file. Wrong bytes are U+FFFD, and then it isn't UTF-8.
fn source(path: &str, bytes: Vec<u8>) -> (Source, bool) {
    let (text, is_utf8) = match String::from_utf8(bytes) {
        Ok(text) => (text, true),
        Err(error) => (String::from_utf8_lossy(&Zeroizing::new(error.into_bytes())).into_owned(), false),
    };
    (Source::new(path.to_owned(), Zeroizing::new(text)), is_utf8)
}

impl Texts {
    /// Reads all files of a tree. `must_read` are files that the user named: they are of interest whatever is in them.
    pub(crate) fn of(
        tree: &Tree<'_>,
        origin: Origin,
        must_read: &BTreeSet<String>,
    ) -> Result<Self, GitError> {
        let kept = AtomicUsize::new(0);
        let looks = tree
            .read("reading", |path, content| look(path, content, origin, must_read.contains(path), &kept))?;
        let mut texts = Self { paths: tree.paths().map(str::to_owned).collect(), ..Self::default() };
        looks.into_iter().for_each(|look| texts.add(look, None));
        Ok(texts)
    }

    /// Adds a text from elsewhere, behind all others.
    pub(crate) fn push(&mut self, text: Text) {
        self.texts.push(text);
    }

    /// Adds a file that a commit of a range brought in, if it is of interest.
    pub(crate) fn push_past(&mut self, file: &Introduced, content: Content) {
        let path = file.entry.path.to_string_lossy();
        let look = look(&path, FileContent::from(content), Origin::Past, false, &self.kept);
        self.add(look, Some(file.commit.short().to_owned()));
    }

    fn add(&mut self, look: Look, commit: Option<String>) {
        match look {
            Look::Nothing => {}
            Look::Kept(text) => self.texts.push(Text { commit, ..text }),
            Look::Finding(finding) => self.findings.push(Finding { commit, ..finding }),
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
        on_all_cores("reading", self.texts.iter().collect(), Text::scanned)
    }

    /// Parses the texts, and runs the lints that need one file.
    pub(crate) fn parse(&self) -> Files<'_> {
        let parsed = on_all_cores("checking", self.texts.iter().collect(), |text: &Text| {
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
    let unreadable = |why: &str| {
        if is_named || is_manifest(path) {
            let hint = "if it has no Secrets, list it under ignore in .seal.yaml";
            Look::Finding(Finding::new(Lint::Unreadable, path, why).hint(hint))
        } else {
            Look::Nothing
        }
    };
    let bytes = match content {
        FileContent::Bytes(bytes) => bytes,
        FileContent::Gone => return Look::Nothing,
        FileContent::TooLarge => return unreadable("this is larger than 64 MiB, and wasn't looked at"),
        FileContent::Unread(why) => return unreadable(&format!("this can't be read: {}", word(&why))),
    };
    let interest = interest(path, &bytes);
    if interest == Interest::None && !is_named {
        return Look::Nothing;
    }
    if kept.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() > MAX_KEPT {
        return unreadable(
            "the files that speak of Secrets are larger than 256 MiB together; this one wasn't looked at",
        );
    }
    let (source, is_utf8) = source(path, bytes);
    let is_manifest = is_utf8 && (is_manifest(path) || is_named);
    Look::Kept(Text { path: path.to_owned(), source, origin, is_manifest, commit: None })
}

/// Finds what couldn't be read and names a Secret. Returns whether there are templates that weren't rendered: they aren't
/// wrong, and are counted.
fn unread(text: &Text, file: &Scanned<'_>, findings: &mut Vec<Finding>) -> bool {
    let Some(manifest) = &file.manifest else {
        if is_manifest(&text.path) && names_a_secret(text.source.text()) {
            let finding =
                Finding::new(Lint::Unreadable, file.path, "this names a Secret and isn't text in UTF-8");
            findings.push(finding.hint("write it in UTF-8, as kubectl needs it"));
        }
        return false;
    };
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
        let message = format!("this names a Secret and can't be read: {}", part.error);
        let finding = file.finding(Lint::Unreadable, part.at, message);
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
        assert_eq!(look_at("a.yaml", FileContent::TooLarge).0.len(), 1);
        assert_eq!(look_at("a.yaml", FileContent::Unread("permission denied".to_owned())).0.len(), 1);
        for (path, content) in [
            ("a.yaml", bytes(b"# Secret\na: [}\n")),
            ("a.png", FileContent::TooLarge),
            ("a.md", bytes(b"kind: Secret\nstringData: {a: [}\n")),
            ("a.yaml", FileContent::Gone),
        ] {
            assert_eq!(look_at(path, content), (vec![], false), "{path}");
        }
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
        assert!(matches!(look, Look::Finding(_)));
    }
}
