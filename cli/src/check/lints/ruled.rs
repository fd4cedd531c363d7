//! A SealedSecret against the rule of `.seal.yaml` for its path: place, scope, type and format. [`super::recipients`] compares
//! whom it is sealed to.
//!
//! Invariant: without a rules file there is no finding, since nobody said how it should be.

use seal_crds::Format;
use seal_crds::secret::OPAQUE;
use seal_foreign::word;

use super::Sealed;
use crate::check::finding::Finding;
use crate::check::lint::Lint;
use crate::rules::book::{Governing, Rules, Ruling};
use crate::rules::file::To;
use crate::rules::pins::PinnedKeys;
use crate::rules::unreachable::unreachable;
use crate::talk::pasted;

/// The findings about an object by the rule for its path.
pub(super) fn against_rules(sealed: &Sealed<'_>, governing: &Governing) -> Vec<Finding> {
    let Some(rules) = &governing.rules else { return Vec::new() };
    if sealed.outline.is_patch() {
        return Vec::new();
    }
    let Some(ruling) = governing.ruling(sealed.path) else {
        let message = format!("no rule of {} is about {}", word(&rules.name), sealed.name());
        return vec![sealed.finding(Lint::NoRule, message)];
    };
    if ruling.rule().to == To::Nobody {
        let message =
            format!("{} is where the rule at {} allows no SealedSecret", sealed.name(), ruling.location());
        return vec![sealed.finding(Lint::Place, message)];
    }
    let findings =
        [place(sealed, &ruling), scope(sealed, &ruling), type_(sealed, &ruling), format(sealed, &ruling)];
    findings.into_iter().flatten().collect()
}

/// Rules that no path reaches.
pub(super) fn unreachable_rules(rules: &Rules) -> Vec<Finding> {
    let found = unreachable(&rules.file).into_iter().map(|rule| {
        let message = format!(
            "the rule for {} can't match: {} at {} matches all of its paths",
            word(&rule.path),
            word(&rule.behind),
            rules.location(rule.behind_at)
        );
        let position = crate::check::finding::Position { line: rule.at.line, column: rule.at.column };
        let mut finding = Finding::new(Lint::UnreachableRule, &rules.path, message).item(word(&rule.path));
        finding.position = Some(position);
        finding
    });
    found.collect()
}

/// Items that were sealed longer ago than the rule allows. `age` gives the days since the oldest commit with a ciphertext;
/// `None` is unknown, and no finding.
pub(super) fn too_old(
    sealed: &Sealed<'_>,
    governing: &Governing,
    age: impl Fn(&str) -> Option<u32>,
) -> Vec<Finding> {
    let Some(ruling) = governing.ruling(sealed.path) else { return Vec::new() };
    let Some(max) = ruling.rule().max_age else { return Vec::new() };
    let old = sealed.outline.items.iter().filter_map(|(name, item)| {
        let days = age(&item.line).filter(|days| *days > max)?;
        let name = seal_documents::manifest::shown(name);
        let message = format!(
            "item {name} of {} was sealed {days} days ago, and the rule at {} allows {max}",
            sealed.name(),
            ruling.location()
        );
        let hint =
            format!("change the value at its source, and: seal set {} {name}", pasted::path(sealed.path));
        Some(sealed.finding(Lint::TooOld, message).at(item.at).item(name).hint(hint))
    });
    old.collect()
}

/// The namespace that the path says. An object without a namespace gets that one when it is sealed.
fn place(sealed: &Sealed<'_>, ruling: &Ruling) -> Option<Finding> {
    let expected = ruling.namespace.as_deref()?;
    let found = sealed.outline.object_name.namespace.as_deref().filter(|found| *found != expected)?;
    let message = format!(
        "{} is in namespace {}, and its path says {} ({})",
        sealed.name(),
        word(found),
        word(expected),
        ruling.location()
    );
    Some(sealed.finding(Lint::Place, message))
}

fn scope(sealed: &Sealed<'_>, ruling: &Ruling) -> Option<Finding> {
    let scope = sealed.outline.scope.filter(|scope| !ruling.rule().allows_scope(*scope))?;
    let allowed: Vec<&str> = ruling.rule().scopes.iter().map(|scope| scope.as_str()).collect();
    let message = format!(
        "{} has scope {scope}, and the rule at {} allows {}",
        sealed.name(),
        ruling.location(),
        allowed.join(", ")
    );
    Some(sealed.finding(Lint::Scope, message).at(sealed.outline.scope_at))
}

fn type_(sealed: &Sealed<'_>, ruling: &Ruling) -> Option<Finding> {
    // The deprecated form of bitnami.com seals the type too.
    if sealed.outline.whole.is_some() {
        return None;
    }
    let found = sealed.outline.template.type_.as_deref().unwrap_or(OPAQUE);
    if ruling.rule().allows_type(found) {
        return None;
    }
    let allowed: Vec<String> = ruling.rule().types.iter().map(|type_| word(type_)).collect();
    let message = format!(
        "{} makes a Secret of type {}, and the rule at {} allows {}",
        sealed.name(),
        word(found),
        ruling.location(),
        allowed.join(", ")
    );
    Some(sealed.finding(Lint::Type, message))
}

/// A rule's recipients are age recipients, a certificate, or both; an object can be sealed to one kind only.
fn format(sealed: &Sealed<'_>, ruling: &Ruling) -> Option<Finding> {
    let pins = ruling.names().iter().filter_map(|name| ruling.rules.pins.get(name));
    let is_certificate = |keys: &PinnedKeys| matches!(keys, PinnedKeys::Certificate { .. });
    let (mut has_certificate, mut has_recipient) = (false, false);
    for pin in pins {
        has_certificate |= is_certificate(&pin.keys);
        has_recipient |= !is_certificate(&pin.keys);
    }
    let message = match sealed.outline.format {
        Format::Bitnami if !has_certificate => {
            format!(
                "{} is of bitnami.com, and the rule at {} names age recipients",
                sealed.name(),
                ruling.location()
            )
        }
        Format::Native if !has_recipient => {
            format!(
                "{} is a native object, and the rule at {} names a certificate",
                sealed.name(),
                ruling.location()
            )
        }
        _ => return None,
    };
    let hint = (sealed.outline.format == Format::Bitnami)
        .then(|| format!("make it a native object: seal migrate {}", word(sealed.path)));
    let finding = sealed.finding(Lint::Format, message);
    Some(match hint {
        Some(hint) => finding.hint(hint),
        None => finding,
    })
}

#[cfg(test)]
mod tests;
