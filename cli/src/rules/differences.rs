//! The differences between two states of the rules, in words for a review.
//!
//! Rules are compared by their paths as they are written, and recipients by their fingerprints: a key that moves to another
//! file or name is no difference in whom is sealed to. Invariant: two states without a difference in words seal every path
//! to the same keys, in the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use seal_crds::keys::Fingerprint;
use seal_foreign::word;

use super::book::Rules;
use super::file::{At, Ignore, PathRule, To};
use super::pins::PinFile;
use super::unreachable::unreachable;

/// What a difference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Concern {
    /// Whom is sealed to: somebody new can read, or somebody can't any more.
    Pins,
    /// The rules allow more: a wider scope, a longer time, a finding that nobody sees.
    Loosened,
    /// Anything else that the rules say.
    Rules,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    pub(crate) concern: Concern,
    /// The place in the new rules file; `None` if something is gone.
    pub(crate) at: Option<At>,
    /// A sentence without a full stop, such as `clusters/prod/** now also seals to mallory 9c01ab22d1e0f3a4
    /// (keys/mallory.pub, new)`. Its words of others are escaped.
    pub(crate) words: String,
}

/// The differences from `before` to `after`; `None` is a tree without rules. Those of pins come first.
pub(crate) fn differences(before: Option<&Rules>, after: Option<&Rules>) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    match (before, after) {
        (None, None) => {}
        (Some(before), None) => found.add(Concern::Pins, None, format!("{} is gone", word(&before.path))),
        (None, Some(after)) => {
            found.add(Concern::Rules, None, format!("{} is new", word(&after.path)));
            after.file.rules.iter().for_each(|rule| found.new_rule(rule, None, after));
            found.ignored(&[], &after.file.ignore);
        }
        (Some(before), Some(after)) => found.compare(before, after),
    }
    let mut found = found.0;
    found.sort_by_key(|difference| difference.concern != Concern::Pins);
    found
}

impl Rules {
    /// A key for people: the name of its recipient, its short fingerprint and its file.
    fn told(&self, fingerprint: &Fingerprint) -> String {
        let told = |(name, pin): (&String, &PinFile)| {
            format!("{} {} ({})", word(name), fingerprint.short(), word(&pin.path))
        };
        self.pin_of(fingerprint).map_or_else(|| fingerprint.short(), told)
    }

    /// A key that is sealed to from now on: by its name if that was reviewed with it before, else as the new key that it is,
    /// with the name that it is given, its file, and whether that is new.
    ///
    /// The threat is a key of somebody else's that is pinned by a name that people trust.
    fn told_now(&self, fingerprint: &Fingerprint, before: Option<&Self>) -> String {
        let Some((name, pin)) = self.pin_of(fingerprint) else { return fingerprint.short() };
        let is_old = before.is_some_and(|before| {
            before.pins.get(name).is_some_and(|pin| pin.keys().iter().any(|(key, _)| key == fingerprint))
        });
        if is_old {
            return self.told(fingerprint);
        }
        let new = match before {
            Some(before) if !before.pins.values().any(|other| other.path == pin.path) => ", new",
            Some(before) if before.pin_of(fingerprint).is_none() => ", changed",
            _ => "",
        };
        let (name, path) = (word(name), word(&pin.path));
        match before.and_then(|before| before.pin_of(fingerprint)) {
            Some((was, _)) => format!("{} {} as {name} ({path}{new})", word(was), fingerprint.short()),
            None => format!("a new key {} as {name} ({path}{new})", fingerprint.short()),
        }
    }

    /// The first recipient that has a key.
    fn pin_of(&self, fingerprint: &Fingerprint) -> Option<(&String, &PinFile)> {
        self.pins.iter().find(|(_, pin)| pin.keys().iter().any(|(key, _)| key == fingerprint))
    }

    /// The keys that a rule seals to.
    pub(crate) fn keys_of(&self, rule: &PathRule) -> BTreeSet<Fingerprint> {
        let To::Recipients(names) = &rule.to else { return BTreeSet::new() };
        let pins = names.iter().filter_map(|name| self.pins.get(name));
        pins.flat_map(|pin| pin.keys().into_iter().map(|(key, _)| key)).collect()
    }
}

struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, concern: Concern, at: Option<At>, words: String) {
        self.0.push(Difference { concern, at, words });
    }

    fn compare(&mut self, before: &Rules, after: &Rules) {
        let old: BTreeMap<String, &PathRule> =
            before.file.rules.iter().rev().map(|rule| (rule.path.to_string(), rule)).collect();
        let mut seen = BTreeSet::new();
        for rule in &after.file.rules {
            let path = rule.path.to_string();
            // A second rule for the same paths is never reached.
            if !seen.insert(path.clone()) {
                continue;
            }
            match old.get(&path) {
                None => self.new_rule(rule, Some(before), after),
                Some(was) => self.rule(was, rule, before, after),
            }
        }
        for (path, was) in old.iter().filter(|(path, _)| !seen.contains(*path)) {
            let who = match &was.to {
                To::Nobody => "which forbade to seal",
                To::Recipients(_) => "which sealed",
            };
            self.add(Concern::Pins, None, format!("the rule for {} is gone, {who}", word(path)));
        }
        self.order(before, after);
        self.marks(before, after);
        self.recovery(before, after);
        self.listed(
            "is nested now: its own rules file counts",
            "is no longer nested",
            &before.file.nested.iter().map(|nested| nested.directory.as_str()).collect(),
            &after.file.nested.iter().map(|nested| nested.directory.as_str()).collect(),
            Concern::Pins,
        );
        self.ignored(&before.file.ignore, &after.file.ignore);
    }

    fn new_rule(&mut self, rule: &PathRule, before: Option<&Rules>, after: &Rules) {
        let keys: Vec<String> = after.keys_of(rule).iter().map(|key| after.told_now(key, before)).collect();
        let path = word(&rule.path.to_string());
        let words = match rule.to {
            To::Nobody => format!("new rule: {path} forbids to seal"),
            To::Recipients(_) => format!("new rule: {path} seals to {}", keys.join(", ")),
        };
        self.add(Concern::Pins, Some(rule.at), words);
    }

    fn rule(&mut self, was: &PathRule, is: &PathRule, before: &Rules, after: &Rules) {
        let path = word(&is.path.to_string());
        let (old, new) = (before.keys_of(was), after.keys_of(is));
        match (&was.to, &is.to) {
            (To::Recipients(_), To::Nobody) => {
                self.add(Concern::Pins, Some(is.at), format!("{path} now forbids to seal"));
            }
            (To::Nobody, To::Recipients(_)) => {
                let keys: Vec<String> = new.iter().map(|key| after.told_now(key, Some(before))).collect();
                let words = format!("{path} forbade to seal, and now seals to {}", keys.join(", "));
                self.add(Concern::Pins, Some(is.at), words);
            }
            _ => {
                for key in new.difference(&old) {
                    let words = format!("{path} now also seals to {}", after.told_now(key, Some(before)));
                    self.add(Concern::Pins, Some(is.at), words);
                }
                for key in old.difference(&new) {
                    let words = format!("{path} no longer seals to {}", before.told(key));
                    self.add(Concern::Pins, Some(is.at), words);
                }
            }
        }
        let concern = |loosens: bool| if loosens { Concern::Loosened } else { Concern::Rules };
        let scopes = concern(allows_more(&was.scopes, &is.scopes));
        self.values(&path, "scopes", [list(&was.scopes), list(&is.scopes)], scopes, is.at);
        let types = concern(allows_more(&was.types, &is.types));
        self.values(&path, "types", [list(&was.types), list(&is.types)], types, is.at);
        let age = concern(was.max_age.is_some_and(|was| is.max_age.is_none_or(|is| is > was)));
        let days = |days: Option<u32>| days.map_or("none".to_owned(), |days| format!("{days}d"));
        self.values(&path, "max-age", [days(was.max_age), days(is.max_age)], age, is.at);
    }

    fn values(&mut self, path: &str, what: &str, [was, is]: [String; 2], concern: Concern, at: At) {
        if was != is {
            self.add(concern, Some(at), format!("{path}: {what} was {was}, is {is}"));
        }
    }

    /// Rules that both have, in another order: the first that matches counts.
    fn order(&mut self, before: &Rules, after: &Rules) {
        let paths =
            |rules: &Rules| rules.file.rules.iter().map(|rule| rule.path.to_string()).collect::<Vec<_>>();
        let (old, new) = (paths(before), paths(after));
        let (in_old, in_new): (BTreeSet<&String>, BTreeSet<&String>) =
            (old.iter().collect(), new.iter().collect());
        let common_old = old.iter().filter(|path| in_new.contains(path));
        let common_new = new.iter().filter(|path| in_old.contains(path));
        if let Some((was, is)) = common_old.zip(common_new).find(|(was, is)| was != is) {
            let words =
                format!("the order of the rules changed: {} now comes before {}", word(is), word(was));
            self.add(Concern::Pins, None, words);
        }
        let hidden = |rules: &Rules| unreachable(&rules.file).into_iter().map(|it| (it.path.clone(), it));
        let was_hidden: BTreeSet<String> = hidden(before).map(|(path, _)| path).collect();
        for (path, it) in
            hidden(after).filter(|(path, _)| in_old.contains(path) && !was_hidden.contains(path))
        {
            let words = format!("{} isn't reached any more, behind {}", word(&path), word(&it.behind));
            self.add(Concern::Pins, Some(it.at), words);
        }
    }

    fn marks(&mut self, before: &Rules, after: &Rules) {
        for (key, marked) in after.marks.marks() {
            let was = before.marks.marked(key).map(|marked| marked.mark);
            if was != Some(marked.mark) {
                let words =
                    format!("{} ({}) is {} now", word(marked.name.as_str()), key.short(), marked.mark);
                self.add(Concern::Pins, None, words);
            }
        }
        for (key, marked) in before.marks.marks().filter(|(key, _)| after.marks.marked(key).is_none()) {
            let words =
                format!("{} ({}) isn't {} any more", word(marked.name.as_str()), key.short(), marked.mark);
            self.add(Concern::Pins, None, words);
        }
    }

    fn recovery(&mut self, before: &Rules, after: &Rules) {
        match (before.file.requires_recovery, after.file.requires_recovery) {
            (true, false) => {
                self.add(Concern::Loosened, None, "a recovery recipient isn't required any more".to_owned());
            }
            (false, true) => {
                self.add(Concern::Rules, None, "a recovery recipient is required now".to_owned())
            }
            _ => {}
        }
        for (name, is) in &after.file.recipients {
            let was = before.file.recipients.get(name).is_some_and(|was| was.is_recovery);
            if was != is.is_recovery && before.file.recipients.contains_key(name) {
                let now = if is.is_recovery {
                    "is a recovery recipient now"
                } else {
                    "is no recovery recipient any more"
                };
                self.add(Concern::Rules, Some(is.at), format!("{} {now}", word(name)));
            }
        }
    }

    fn ignored(&mut self, before: &[Ignore], after: &[Ignore]) {
        let words = |ignore: &Ignore| {
            let until = ignore.until.map(|day| format!(", until {day}")).unwrap_or_default();
            let (rule, path) = (&ignore.rule, word(&ignore.path.to_string()));
            format!("findings of {rule} in {path} ({}{until})", word(&ignore.reason))
        };
        let (old, new): (BTreeSet<_>, BTreeSet<_>) =
            (before.iter().map(words).collect(), after.iter().map(words).collect());
        self.listed_findings("are ignored now", "aren't ignored any more", &old, &new);
    }

    fn listed(
        &mut self,
        now: &str,
        no_more: &str,
        old: &BTreeSet<&str>,
        new: &BTreeSet<&str>,
        concern: Concern,
    ) {
        for directory in new.difference(old) {
            self.add(concern, None, format!("{} {now}", word(directory)));
        }
        for directory in old.difference(new) {
            self.add(concern, None, format!("{} {no_more}", word(directory)));
        }
    }

    fn listed_findings(&mut self, now: &str, no_more: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        for entry in new.difference(old) {
            self.add(Concern::Loosened, None, format!("{entry} {now}"));
        }
        for entry in old.difference(new) {
            self.add(Concern::Rules, None, format!("{entry} {no_more}"));
        }
    }
}

/// Whether a list of what is allowed allows something new. An empty one allows everything.
fn allows_more<T: PartialEq>(was: &[T], is: &[T]) -> bool {
    !was.is_empty() && (is.is_empty() || is.iter().any(|entry| !was.contains(entry)))
}

fn list(entries: &[impl Display]) -> String {
    if entries.is_empty() {
        return "any".to_owned();
    }
    entries.iter().map(|entry| word(&entry.to_string())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
