//! `template.data` of the peer's format: Go templates over the items and the plain texts beside them.
//!
//! Not the language, which is [`seal_go::template`]'s. Where a key is an item as well, the item wins, as what a
//! template sees and as what the Secret gets; a key with `null` leaves the item out of the Secret, and templates see it
//! all the same.
//!
//! The threat is that of [`crate::template`]: whoever may edit the template, but not read the Secret, learns of a
//! value from whether the Secret is made. Item lengths are public in this format. So, unless branching is allowed:
//! a template renders or not by the lengths of the items; the most that all of them can give has to fit into a Secret;
//! and a value whose content Kubernetes checks for the Secret's type passes whatever the items are
//! ([`GoTemplate::render_json_object`], [`Rendered::never_empty`]). All of that is decided when the object is parsed.
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

/// Templates of an object, at most: as many as it may have items.
const MAX_TEMPLATES: usize = 1024;

/// What Kubernetes checks of a value.
#[derive(Clone, Copy)]
enum Checked {
    Json,
    NotEmpty,
}

fn checked(type_: &str, key: &ItemName) -> Option<Checked> {
    match (type_, key.as_str()) {
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson")
        | ("kubernetes.io/dockercfg", ".dockercfg") => Some(Checked::Json),
        ("kubernetes.io/ssh-auth", "ssh-privatekey") => Some(Checked::NotEmpty),
        _ => None,
    }
}

impl Checked {
    /// What it has to be.
    fn rule(self) -> &'static str {
        match self {
            Self::Json => {
                "make it a JSON object, with items inside its strings, not behind a backslash there, or as \
                 {{ toJson .item }} in the place of a string"
            }
            Self::NotEmpty => "put something into it, with print, b64enc or no function",
        }
    }

    /// What went wrong with the items as they are.
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
    /// The steps of the object's budget that parsing left for rendering. Rendering takes the same number each time, so
    /// they suffice each time or never.
    budget: Budget,
}

#[derive(Clone)]
struct Template {
    /// What other templates see of it.
    text: String,
    parsed: Arc<GoTemplate>,
}

impl TemplateData {
    /// Parses every value, also where an item wins: the peer does so too.
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

    /// Whether this item is left out of the Secret.
    pub(super) fn omits(&self, item: &ItemName) -> bool {
        self.omitted.contains(item)
    }

    /// The keys this adds to the Secret, where no item has them.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ItemName> {
        self.templates.keys()
    }

    /// Whether the values can become those of a Secret of this type, for items of these lengths; the bytes that they can
    /// have together, at most. With branching allowed only the values can tell, and what templates add isn't counted.
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
        // Letters stand for the items: whether they render tells whether all values of these lengths do.
        let item = |(name, length): (&ItemName, &usize)| (name.clone(), vec![b'x'; *length].into());
        let items: BTreeMap<ItemName, Plaintext> = lengths.iter().map(item).collect();
        let (_, total) = self.render_saying(type_, &items, Checked::rule)?;
        Ok(total)
    }

    /// The finished values, without those that items win over.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), which has been there before: without branching, [`UnsealError::Template`] only.
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
            // The most that it can give, not what it gives: that would tell something about an item.
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
