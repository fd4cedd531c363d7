//! `template.data` of the Bitnami format: Go templates over the items and the plain texts beside them.
//!
//! The language is in [`seal_go::template`]. If a key of `template.data` is also an item, the item wins: templates
//! see the item, and the Secret gets it. A key with `null` leaves the item out of the Secret; templates still see it.
//!
//! The threat is that of [`crate::template`]: an attacker may edit the template, but not read the Secret, and learns
//! about a value from whether there is a Secret. The lengths of items are public in this format. So, unless branching
//! is allowed, the following is decided when the object is parsed, from the lengths alone: each template renders or
//! not; the largest possible texts of all templates together fit into a Secret; and a value whose content Kubernetes
//! checks passes that check for any items ([`GoTemplate::render_json_object`], [`Rendered::never_empty`]). Kubernetes
//! reads a docker configuration, for one, and refuses the Secret if it is no JSON object.
//!
//! Invariant: [`TemplateData::check`] looks at no value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::format::UnsealError;
use crate::names::ItemName;
use crate::plaintext::Plaintext;
use crate::secret::MAX_SECRET_SIZE;
use crate::template::TemplateError;
use seal_go::template::{Branching, Budget, GoTemplate, GoTemplateError, Rendered, Values};

/// The most templates of an object: as many as items.
const MAX_TEMPLATES: usize = 1024;

/// A check that Kubernetes makes of the content of a value.
#[derive(Clone, Copy)]
enum Checked {
    Json,
    NotEmpty,
}

/// The check of this value in a Secret of this type, if there is one.
fn checked(type_: &str, key: &ItemName) -> Option<Checked> {
    match (type_, key.as_str()) {
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson")
        | ("kubernetes.io/dockercfg", ".dockercfg") => Some(Checked::Json),
        ("kubernetes.io/ssh-auth", "ssh-privatekey") => Some(Checked::NotEmpty),
        _ => None,
    }
}

impl Checked {
    /// The advice for a template that could fail the check.
    fn rule(self) -> &'static str {
        match self {
            Self::Json => {
                "make it a JSON object, with items inside its strings, not behind a backslash there, or as \
                 {{ toJson .item }} in the place of a string"
            }
            Self::NotEmpty => "put something into it, with print, b64enc or no function",
        }
    }

    /// The problem of a value that fails the check, with branching allowed.
    fn failure(self) -> &'static str {
        match self {
            Self::Json => {
                "with these items it isn't a JSON object; an item that may hold quotes, backslashes or line ends belongs \
                 into {{ toJson .item }} or {{ b64enc .item }}"
            }
            Self::NotEmpty => "with these items it is empty",
        }
    }
}

/// `template.data`, checked; it holds no plaintext.
#[derive(Clone)]
pub(super) struct TemplateData {
    templates: BTreeMap<ItemName, Template>,
    omitted: BTreeSet<ItemName>,
    branching: Branching,
    /// The part of the object's budget that parsing left for rendering. Rendering costs the same each time, so the
    /// budget suffices each time or never.
    budget: Budget,
}

#[derive(Clone)]
struct Template {
    /// The text of the template, which other templates see.
    text: String,
    parsed: Arc<GoTemplate>,
}

impl TemplateData {
    /// Parses every value, also if an item wins over it, as sealed-secrets does.
    ///
    /// # Errors
    ///
    /// [`UnsealError::Name`], [`UnsealError::GoTemplate`], [`UnsealError::TooLarge`].
    pub(super) fn parse(
        data: &BTreeMap<String, Option<String>>,
        branching: Branching,
    ) -> Result<Self, UnsealError> {
        let found = data.len();
        if found > MAX_TEMPLATES {
            let path = "template.data".to_owned();
            return Err(UnsealError::TooLarge { path, found, limit: MAX_TEMPLATES, unit: "templates" });
        }
        let mut budget = Budget::of_object();
        let (mut templates, mut omitted) = (BTreeMap::new(), BTreeSet::new());
        for (key, text) in data {
            let key: ItemName = key.parse()?;
            let Some(text) = text else {
                omitted.insert(key);
                continue;
            };
            let parsed = GoTemplate::parse(text, branching, &mut budget);
            let parsed = parsed.map_err(|error| failed(&key, error))?;
            templates.insert(key, Template { text: text.clone(), parsed: Arc::new(parsed) });
        }
        Ok(Self { templates, omitted, branching, budget })
    }

    /// `true` if this item is left out of the Secret.
    pub(super) fn omits(&self, item: &ItemName) -> bool {
        self.omitted.contains(item)
    }

    /// The keys of all templates. The Secret gets a template's value unless an item has the same key.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ItemName> {
        self.templates.keys()
    }

    /// Checks the templates for items of these lengths in a Secret of this type. Gives the most bytes that all values
    /// of the Secret can have together. With branching allowed, only the real values can tell, so the templates are
    /// neither checked nor counted.
    ///
    /// # Errors
    ///
    /// [`UnsealError::GoTemplate`], [`UnsealError::Template`], [`UnsealError::SecretTooLarge`].
    pub(super) fn check(
        &self,
        type_: &str,
        lengths: &BTreeMap<ItemName, usize>,
    ) -> Result<usize, UnsealError> {
        if self.branching == Branching::Allowed || self.templates.is_empty() {
            return Ok(lengths.iter().filter(|(name, _)| !self.omits(name)).map(|(_, length)| length).sum());
        }
        // Letters stand for the items. They render exactly if all values of these lengths do.
        let item = |(name, length): (&ItemName, &usize)| (name.clone(), vec![b'x'; *length].into());
        let items: BTreeMap<ItemName, Plaintext> = lengths.iter().map(item).collect();
        let (_, total) = self.render_saying(type_, &items, Checked::rule)?;
        Ok(total)
    }

    /// Renders the templates over the opened items. The result has no value for a key that is also an item.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check). Without branching, `check` has found every error before, but for
    /// [`UnsealError::Template`].
    pub(super) fn render(
        &self,
        type_: &str,
        items: &BTreeMap<ItemName, Plaintext>,
    ) -> Result<BTreeMap<ItemName, Plaintext>, UnsealError> {
        self.render_saying(type_, items, Checked::failure).map(|(values, _)| values)
    }

    fn render_saying(
        &self,
        type_: &str,
        items: &BTreeMap<ItemName, Plaintext>,
        says: fn(Checked) -> &'static str,
    ) -> Result<(BTreeMap<ItemName, Plaintext>, usize), UnsealError> {
        let texts = self.templates.iter().map(|(key, template)| (key.as_str(), template.text.as_bytes()));
        let mut seen: BTreeMap<&str, &[u8]> = texts.collect();
        seen.extend(items.iter().map(|(name, value)| (name.as_str(), value.expose())));
        let seen = Values::new(&seen);
        let mut budget = self.budget.clone();

        let kept = items.iter().filter(|(name, _)| !self.omits(name));
        let mut total = kept.map(|(_, value)| value.len()).sum::<usize>();
        let mut values = BTreeMap::new();
        for (key, template) in self.own(items) {
            let checked = checked(type_, key);
            let rendered = match checked {
                Some(Checked::Json) => template.parsed.render_json_object(&seen, &mut budget),
                _ => template.parsed.render(&seen, &mut budget).map(Some),
            };
            let rendered = rendered.map_err(|error| failed(key, error))?;
            let refused = |checked| refused(key, type_, says(checked));
            let Rendered { value, max_len, never_empty } = rendered.ok_or_else(|| refused(Checked::Json))?;
            // The largest possible length and not the real one, which would tell something about an item.
            total = total.saturating_add(usize::try_from(max_len).unwrap_or(usize::MAX));
            if total > MAX_SECRET_SIZE {
                return Err(UnsealError::SecretTooLarge { limit: MAX_SECRET_SIZE });
            }
            if let Some(Checked::NotEmpty) = checked
                && !never_empty
            {
                return Err(refused(Checked::NotEmpty));
            }
            values.insert(key.clone(), value.into());
        }
        Ok((values, total))
    }

    /// The templates that no item wins over.
    fn own<'a>(
        &'a self,
        items: &'a BTreeMap<ItemName, Plaintext>,
    ) -> impl Iterator<Item = (&'a ItemName, &'a Template)> {
        self.templates.iter().filter(|(key, _)| !items.contains_key(*key))
    }
}

fn failed(key: &ItemName, error: GoTemplateError) -> UnsealError {
    UnsealError::GoTemplate { key: key.clone(), error: error.into() }
}

fn refused(key: &ItemName, type_: &str, rule: &'static str) -> UnsealError {
    TemplateError::CheckedByType { key: key.clone(), type_: type_.to_owned(), rule }.into()
}
