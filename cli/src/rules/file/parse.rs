//! From the text of a rules file to [`RulesFile`].
//!
//! YAML is read as kubectl reads it, by the same code as manifests: a key twice and a merge key are refused, an alias is
//! its target. Invariants: every field is known, so that a slip of the hand never means "no rule"; each list is bounded; no
//! error repeats more than a word of the file.

mod fields;

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::secret::{REFUSED_TYPES, check_type};
use seal_crds::{Scope, duration};
use seal_documents::manifest::{Field, Fields, shown};
use seal_documents::source::{Located, Source, Visible};
use seal_documents::yaml::tree::{self, NodeId, NodeKind, Tree};
use zeroize::Zeroizing;

use super::error::RulesError;
use super::{At, Ignore, Nested, PathRule, RecipientEntry, RulesFile, To};
use crate::keys::recipients::looks_like_recipient;
use crate::rules::pattern::Pattern;
use crate::talk::failure::Failure;
use crate::talk::meant::meant;

/// The version of the rules that is known.
const VERSION: &str = "1";

pub(super) const TOP: [&str; 6] = ["version", "require-recovery", "recipients", "nested", "rules", "ignore"];
pub(super) const RECIPIENT: [&str; 2] = ["file", "recovery"];
pub(super) const RULE: [&str; 5] = ["path", "to", "scopes", "types", "max-age"];
pub(super) const IGNORE: [&str; 4] = ["rule", "path", "reason", "until"];

/// The most entries of each list.
const MOST: usize = 1000;
/// The most bytes of a path of a file.
const LONGEST_PATH: usize = 1024;
/// The most characters of a reason.
const LONGEST_REASON: usize = 200;
/// A hundred years.
const MOST_DAYS: u32 = 36_525;

type Parsed<T> = Result<T, Located<RulesError>>;

pub(super) fn parse(name: &str, text: &str) -> Result<RulesFile, Failure> {
    let source = Source::new(name.to_owned(), Zeroizing::new(text.to_owned()));
    let trees = match tree::parse(source.text(), 0) {
        Ok(trees) => trees,
        Err(Located { error, at }) => {
            return Err(Failure::from(RulesError::Unread(error)).at(source.spot_unparsed(at)));
        }
    };
    document(&trees, source.text()).map_err(|Located { error, at }| {
        let mut ranges = Vec::new();
        trees.iter().for_each(|tree| visible(tree, &mut ranges));
        Failure::from(error).at(source.spot(at, &Visible::new(ranges)))
    })
}

fn document(trees: &[Tree<'_>], text: &str) -> Parsed<RulesFile> {
    let mut roots = trees.iter().filter_map(|tree| Some((tree, tree.root?)));
    let Some((tree, root)) = roots.next() else { return Err(Located { error: RulesError::Empty, at: 0 }) };
    if let Some((more, node)) = roots.next() {
        return Err(Located { error: RulesError::SeveralDocuments, at: more.range(node).start });
    }
    let lines = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    Reader { tree, text, lines }.top(root)
}

/// The ranges of keys and values, all of which may be shown, except for what looks like a private key.
fn visible(tree: &Tree<'_>, ranges: &mut Vec<(std::ops::Range<usize>, bool)>) {
    let Some(root) = tree.root else { return };
    let is_key =
        |text: &str| text.to_ascii_uppercase().contains("AGE-SECRET-KEY-") || text.contains("-----BEGIN");
    for id in [root].into_iter().chain(tree.beneath(root)) {
        if let NodeKind::Scalar { text, .. } = &tree.node(id).kind {
            ranges.push((tree.range(id), !is_key(text.as_str())));
        }
    }
}

/// Reads the nodes of the one document.
struct Reader<'t, 'a> {
    tree: &'t Tree<'a>,
    text: &'t str,
    /// The starts of all lines but the first.
    lines: Vec<usize>,
}

impl<'t> Reader<'t, '_> {
    fn top(&self, root: NodeId) -> Parsed<RulesFile> {
        let fields = self.fields(root, "the rules file", &TOP)?;
        // The version says which fields there are, so it is the first to be looked at.
        let version = self.needed(&fields, "version", "the rules file", root)?;
        if self.tree.scalar(version) != Some(VERSION) {
            let given = self.tree.scalar(version).map_or_else(|| "…".to_owned(), shown);
            return Err(self.here(version, RulesError::Version(given)));
        }
        self.check_names(&fields, "the rules file", &TOP)?;
        let requires_recovery = self.bool(&fields, "require-recovery")?;
        let recipients = self.recipients(&fields)?;
        let nested = self
            .list(&fields, "nested")?
            .into_iter()
            .map(|node| self.nested(node))
            .collect::<Parsed<Vec<_>>>()?;
        let rules = self.list(&fields, "rules")?;
        let rules = rules
            .into_iter()
            .map(|node| self.rule(node, &recipients, requires_recovery))
            .collect::<Parsed<_>>()?;
        let ignore =
            self.list(&fields, "ignore")?.into_iter().map(|node| self.ignore(node)).collect::<Parsed<_>>()?;
        self.once(nested.iter().map(|nested| nested.directory.as_str()), &fields, "nested")?;
        Ok(RulesFile { requires_recovery, recipients, nested, rules, ignore })
    }

    fn recipients(&self, top: &Fields<'t>) -> Parsed<BTreeMap<String, RecipientEntry>> {
        let Some(node) = top.get("recipients") else { return Ok(BTreeMap::new()) };
        self.refuse_tag(node, "recipients")?;
        let named =
            Fields::read(self.tree, node, "recipients").map_err(|error| error.map(RulesError::from))?;
        let mut recipients = BTreeMap::new();
        for Field { key, key_id, value } in named.iter() {
            if !is_name(key) {
                return Err(self.here(*key_id, RulesError::RecipientName(shown(key))));
            }
            if recipients.len() == MOST {
                return Err(self.here(*key_id, RulesError::TooMany { what: "recipients", most: MOST }));
            }
            let fields = self.known_fields(*value, "a recipient", &RECIPIENT)?;
            let file = self.needed(&fields, "file", "a recipient", *value)?;
            let entry = RecipientEntry {
                file: self.file_path(file)?,
                is_recovery: self.bool(&fields, "recovery")?,
                at: self.at(*key_id),
            };
            recipients.insert((*key).to_owned(), entry);
        }
        Ok(recipients)
    }

    /// The path of a file beneath the repository. It may begin with `..`, because a rules file in a directory may name pins
    /// above it; whether that is still beneath the repository is seen where the file is read.
    fn file_path(&self, node: NodeId) -> Parsed<String> {
        let path = self.string(node, "file")?;
        if looks_like_recipient(path) {
            return Err(self.here(node, RulesError::Key));
        }
        if path.contains("://") {
            return Err(self.here(node, RulesError::Url(path.to_owned())));
        }
        let rest = path.trim_start_matches("../");
        let is_path = is_relative(rest) && path.len() <= LONGEST_PATH && !path.starts_with('~');
        if is_path {
            Ok(path.to_owned())
        } else {
            Err(self.here(node, RulesError::FilePath(path.to_owned())))
        }
    }

    fn nested(&self, node: NodeId) -> Parsed<Nested> {
        let directory = self.string(node, "nested")?;
        let directory = directory.strip_suffix('/').unwrap_or(directory);
        if !is_relative(directory) || directory.len() > LONGEST_PATH {
            return Err(self.here(node, RulesError::FilePath(directory.to_owned())));
        }
        Ok(Nested { directory: directory.to_owned(), at: self.at(node) })
    }

    fn rule(
        &self,
        node: NodeId,
        recipients: &BTreeMap<String, RecipientEntry>,
        requires_recovery: bool,
    ) -> Parsed<PathRule> {
        let fields = self.known_fields(node, "a rule", &RULE)?;
        let path = self.pattern(self.needed(&fields, "path", "a rule", node)?)?;
        let to_node = self.needed(&fields, "to", "a rule", node)?;
        let to = self.to(to_node, recipients)?;
        if let To::Recipients(names) = &to
            && requires_recovery
            && !names.iter().any(|name| recipients[name].is_recovery)
        {
            return Err(self.here(to_node, RulesError::NoRecovery));
        }
        let scopes = self.words(&fields, "scopes", |text| {
            text.parse::<Scope>().map_err(|_| RulesError::Scope(text.to_owned()))
        })?;
        self.once(scopes.iter().map(|scope| scope.as_str()), &fields, "scopes")?;
        // What a type may do is the controller's to say; here only its form counts.
        let allowed: BTreeSet<String> = REFUSED_TYPES.map(str::to_owned).into();
        let types = self.words(&fields, "types", |text| {
            check_type(text, &allowed)
                .map_err(|_| RulesError::Type(text.to_owned()))
                .map(|()| text.to_owned())
        })?;
        self.once(types.iter().map(String::as_str), &fields, "types")?;
        let max_age = fields.get("max-age").map(|node| self.days(node)).transpose()?;
        Ok(PathRule { path, to, scopes, types, max_age, at: self.at(node) })
    }

    fn to(&self, node: NodeId, recipients: &BTreeMap<String, RecipientEntry>) -> Parsed<To> {
        let NodeKind::Sequence { items, .. } = self.tree.kind(node) else {
            let is_none = self.tree.scalar(node) == Some("none");
            return if is_none { Ok(To::Nobody) } else { Err(self.here(node, RulesError::To)) };
        };
        self.refuse_tag(node, "to")?;
        let mut names: Vec<String> = Vec::new();
        for item in items {
            let name = self.string(*item, "a recipient")?;
            if !recipients.contains_key(name) {
                let known: Vec<&str> = recipients.keys().map(String::as_str).collect();
                let error = RulesError::UnknownRecipient {
                    name: shown(name),
                    meant: meant(name, known.iter().copied()).map(str::to_owned),
                    known: known.iter().take(20).copied().collect::<Vec<_>>().join(", "),
                };
                return Err(self.here(*item, error));
            }
            if names.iter().any(|known| known == name) {
                return Err(self.here(*item, RulesError::Twice(name.to_owned())));
            }
            names.push(name.to_owned());
        }
        if names.is_empty() { Err(self.here(node, RulesError::ToNobody)) } else { Ok(To::Recipients(names)) }
    }

    fn ignore(&self, node: NodeId) -> Parsed<Ignore> {
        let fields = self.known_fields(node, "an entry of ignore", &IGNORE)?;
        let needed = |field| self.needed(&fields, field, "an entry of ignore", node);
        let (rule, path, reason) = (needed("rule")?, needed("path")?, needed("reason")?);
        let name = self.string(rule, "rule")?;
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        if name.len() > 64 || !name.split('-').all(is_word) {
            return Err(self.here(rule, RulesError::RuleName(shown(name))));
        }
        let pattern = self.pattern(path)?;
        if pattern.binds_namespace() {
            return Err(self.here(path, RulesError::IgnoredNamespace));
        }
        let why = self.string(reason, "reason")?.trim();
        let is_reason = !why.is_empty()
            && why.chars().count() <= LONGEST_REASON
            && !why.contains(seal_foreign::is_unprintable);
        if !is_reason {
            return Err(self.here(reason, RulesError::Reason));
        }
        let until = fields.get("until").map(|node| {
            let text = self.string(node, "until")?;
            text.parse().map_err(|_| self.here(node, RulesError::Until))
        });
        Ok(Ignore {
            rule: name.to_owned(),
            path: pattern,
            reason: why.to_owned(),
            until: until.transpose()?,
            at: self.at(node),
        })
    }

    fn pattern(&self, node: NodeId) -> Parsed<Pattern> {
        let path = self.string(node, "path")?;
        path.parse().map_err(|source| self.here(node, RulesError::Path { path: path.to_owned(), source }))
    }

    /// A length of time in whole days, as flags have it: `365d`.
    fn days(&self, node: NodeId) -> Parsed<u32> {
        let length = duration::parse(self.string(node, "max-age")?).ok();
        let days = length.and_then(duration::whole_days).filter(|days| (1..=MOST_DAYS).contains(days));
        days.ok_or_else(|| self.here(node, RulesError::MaxAge))
    }

    fn here(&self, node: NodeId, error: RulesError) -> Located<RulesError> {
        Located { error, at: self.tree.range(node).start }
    }

    fn at(&self, node: NodeId) -> At {
        let at = self.tree.range(node).start;
        let before = self.lines.partition_point(|start| *start <= at);
        let start = before.checked_sub(1).map_or(0, |line| self.lines[line]);
        At { line: before + 1, column: self.text[start..at].chars().count() + 1 }
    }
}

/// The name of a recipient: it stands in messages, in `to` and on the command line.
pub(crate) fn is_name(name: &str) -> bool {
    name != "none"
        && (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

/// Whether a path has only names in it: it isn't absolute, has no `.` and no `..`, and nothing that isn't printable.
fn is_relative(path: &str) -> bool {
    path.split('/').all(|name| !name.is_empty() && name != "." && name != "..")
        && !path.contains(|c: char| c == '\\' || seal_foreign::is_unprintable(c))
}
