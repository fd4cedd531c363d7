//! One SealedSecret in the open, as lines for people and as JSON for programs.
//!
//! Invariant: lines and JSON are made of one value, so they say the same.

use std::collections::{BTreeMap, BTreeSet};

use seal_crds::Format;
use seal_crds::keys::Fingerprint;
use serde::Serialize;

use crate::objects::outline::{Fault, Outline};
use crate::rules::book::{Rules, Ruling};
use crate::rules::pins::PinFile;

/// One SealedSecret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    file: String,
    line: usize,
    /// `prod/db`; the name alone if the file names no namespace.
    place: String,
    format: &'static str,
    scope: Option<&'static str>,
    #[serde(rename = "type")]
    type_: String,
    immutable: bool,
    /// Whom the object says it is sealed to. Empty for bitnami.com, whose objects don't say.
    recipients: Vec<ShownRecipient>,
    items: Vec<ShownItem>,
    /// The keys of the Secret that the template makes.
    template_keys: Vec<String>,
    /// The rule for the file; `null` if there is none.
    rule: Option<ShownRule>,
    /// Why `seal` refuses the object; `null` if it doesn't.
    problem: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRecipient {
    fingerprint: String,
    /// The name in the pins, else the one that the file claims.
    name: Option<String>,
    /// Whether the pins of the repository have it.
    pinned: bool,
    /// `revoked since 2026-11-27`, if the pins say so.
    mark: Option<String>,
    /// The items that it opens; `null` if it opens all.
    items: Option<BTreeSet<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownItem {
    name: String,
    /// The keys of the template that use it.
    used_in: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRule {
    /// `.seal.yaml:12`
    at: String,
    path: String,
    /// The names of the recipients; empty if nothing may be sealed there.
    to: Vec<String>,
}

impl Shown {
    pub(super) fn new(
        file: &str,
        line: usize,
        outline: &Outline,
        rules: Option<&Rules>,
        ruling: Option<&Ruling>,
    ) -> Self {
        let format = match outline.format {
            Format::Native => "sealing.dev",
            Format::Bitnami => "bitnami.com",
        };
        let template = &outline.template;
        let items = outline.items.keys().map(|name| ShownItem {
            name: name.clone(),
            used_in: outline.uses_in_template(name).into_iter().map(str::to_owned).collect(),
        });
        Self {
            file: file.to_owned(),
            line,
            place: outline.object_name.to_string(),
            format,
            scope: outline.scope.map(|scope| scope.as_str()),
            type_: template.type_.clone().unwrap_or_else(|| "Opaque".to_owned()),
            immutable: template.immutable.unwrap_or_default(),
            recipients: recipients(outline, rules),
            items: items.collect(),
            template_keys: template.data.keys().cloned().collect(),
            rule: ruling.map(|ruling| ShownRule {
                at: ruling.location(),
                path: ruling.rule().path.to_string(),
                to: ruling.names().to_vec(),
            }),
            problem: outline.fault.as_ref().map(|fault| match fault {
                Fault::Unread(failure) => failure.facts.join(": "),
                Fault::Refused(error) => error.to_string(),
            }),
        }
    }

    /// The lines about the object: the first is unindented.
    fn lines(&self) -> Vec<String> {
        let line = |what: &str, text: &str| format!("  {what:<10} {text}");
        let mut lines = vec![format!("{}  {}:{}", self.place, self.file, self.line)];
        let scope = self.scope.unwrap_or("unknown");
        lines.push(line("sealed", &format!("{scope}, {}", self.format)));
        let mut what = "opened by";
        for recipient in &self.recipients {
            lines.push(line(std::mem::take(&mut what), &recipient.words(self.rule.is_some())));
        }
        if self.recipients.is_empty() {
            let words = match self.format {
                "bitnami.com" => "an RSA key of the cluster's controller, which the object doesn't name",
                _ => "nobody, as far as it says",
            };
            lines.push(line(what, words));
        }
        let immutable = if self.immutable { ", immutable" } else { "" };
        lines.push(line("type", &format!("{}{immutable}", self.type_)));
        let mut what = "items";
        for item in &self.items {
            let used = match item.used_in.len() {
                0 => String::new(),
                _ => format!(" (the template uses it in {})", item.used_in.join(", ")),
            };
            lines.push(line(std::mem::take(&mut what), &format!("{}{used}", item.name)));
        }
        if !self.template_keys.is_empty() {
            lines.push(line("template", &format!("makes {}", self.template_keys.join(", "))));
        }
        if let Some(rule) = &self.rule {
            let to = if rule.to.is_empty() { "nobody".to_owned() } else { rule.to.join(", ") };
            lines.push(line("rule", &format!("{} {} seals to {to}", rule.at, rule.path)));
        }
        if let Some(problem) = &self.problem {
            lines.push(line("problem", problem));
        }
        lines
    }
}

impl ShownRecipient {
    fn words(&self, has_rules: bool) -> String {
        let short = self.fingerprint.get(..16).unwrap_or(&self.fingerprint);
        let mut words = match &self.name {
            Some(name) => format!("{name} ({short})"),
            None => short.to_owned(),
        };
        if let Some(mark) = &self.mark {
            words += &format!(", {mark}");
        } else if has_rules && !self.pinned {
            words += ", not pinned";
        }
        if let Some(items) = &self.items {
            words += &format!(": {} alone", items.iter().cloned().collect::<Vec<_>>().join(", "));
        }
        words
    }
}

fn recipients(outline: &Outline, rules: Option<&Rules>) -> Vec<ShownRecipient> {
    let names: BTreeMap<Fingerprint, String> = rules.map(pinned_names).unwrap_or_default();
    let all: BTreeSet<&String> = outline.items.keys().collect();
    let shown = |(fingerprint, claimed): (Fingerprint, Option<&str>)| {
        let opens = |line: &Option<String>| {
            let envelope = line.as_deref().and_then(|key| outline.envelope_of(key));
            envelope.is_some_and(|envelope| envelope.fingerprints().contains(&fingerprint))
        };
        let items: BTreeSet<String> = outline
            .items
            .iter()
            .filter(|(_, item)| opens(&item.data_key))
            .map(|(name, _)| name.clone())
            .collect();
        let marked = rules.and_then(|rules| rules.marks.marked(&fingerprint));
        ShownRecipient {
            fingerprint: fingerprint.to_string(),
            name: names.get(&fingerprint).cloned().or_else(|| claimed.map(str::to_owned)),
            pinned: names.contains_key(&fingerprint),
            mark: marked.map(|marked| format!("{} since {}", marked.mark, marked.since)),
            items: (items.len() < all.len()).then_some(items),
        }
    };
    outline.recipients().into_iter().map(shown).collect()
}

/// The names of all keys in the pins: that of the recipient, and the key's own if it has one.
fn pinned_names(rules: &Rules) -> BTreeMap<Fingerprint, String> {
    let of_one = |(name, pin): (&String, &PinFile)| -> Vec<(Fingerprint, String)> {
        let keys = pin.keys().into_iter();
        keys.map(|(fingerprint, own)| match own {
            Some(own) if own != name => (fingerprint, format!("{name}: {own}")),
            _ => (fingerprint, name.clone()),
        })
        .collect()
    };
    rules.pins.iter().flat_map(of_one).collect()
}

/// All objects, with an empty line between them.
pub(super) fn lines(shown: &[Shown]) -> Vec<String> {
    let mut lines = Vec::new();
    for object in shown {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(object.lines());
    }
    lines
}

/// All objects as one array.
pub(super) fn json(shown: &[Shown]) -> String {
    let mut text = serde_json::to_string_pretty(shown).expect("texts and numbers always serialize");
    text.push('\n');
    text
}
