//! Why an object isn't changed, with what to try.
//!
//! Invariant: at a bound of the format, the hint says what works without a key.

use seal_crds::native::{ChangeError, SealError};
use seal_crds::{ItemName, Reason};

use crate::objects::name::ObjectName;
use crate::objects::sealing::SealingError;
use crate::talk::failure::{Explain, Failure, Rule};

#[derive(Debug, thiserror::Error)]
#[error("{object_name}: {problem}")]
pub(super) struct ChangeFailed {
    object_name: String,
    problem: String,
    rule: Rule,
    hint: Option<String>,
}

impl Explain for ChangeFailed {
    fn rule(&self) -> Rule {
        self.rule
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl ChangeFailed {
    /// The failure for an error of the contract. `items` are those that the object has.
    pub(super) fn explain<'i>(
        object_name: &ObjectName,
        error: ChangeError,
        items: impl Iterator<Item = &'i String>,
    ) -> Failure {
        let problem = error.to_string();
        let (rule, hint) = match &error {
            ChangeError::Seal(SealError::NotForTemplates(item)) => (
                Rule::Refused(Reason::NotForTemplates),
                Some(format!(
                    "add --template-item {item}, if whoever edits the file may decide where in the Secret it appears"
                )),
            ),
            ChangeError::Seal(_) => {
                let ChangeError::Seal(source) = error else { unreachable!("just matched") };
                return SealingError::new(object_name, source).into();
            }
            ChangeError::NoSuchItem(_) => {
                let items: Vec<String> =
                    items.take(20).map(|item| seal_foreign::word(item).to_string()).collect();
                (Rule::NothingToDo, Some(format!("the items are: {}", items.join(", "))))
            }
            ChangeError::LastItem => (
                Rule::Refused(Reason::Malformed),
                Some("remove the SealedSecret itself; the controller then deletes the Secret".to_owned()),
            ),
            ChangeError::InTemplate { key, .. } => (
                Rule::Refused(Reason::InvalidTemplate),
                Some(format!("change or remove template.data.{key} first")),
            ),
            ChangeError::NoRoom { together, .. } => (
                Rule::Refused(Reason::Malformed),
                Some(format!(
                    "in one command with {}, whose old envelopes go then, it fits; and seal rotate makes one envelope of \
                     all",
                    together.iter().map(ItemName::as_str).collect::<Vec<_>>().join(", ")
                )),
            ),
            ChangeError::Refused(error) => (Rule::Refused(error.reason()), None),
        };
        Self { object_name: object_name.to_string(), problem, rule, hint }.into()
    }

    /// The deprecated form of bitnami.com, which has no items to change.
    pub(super) fn whole(object_name: &ObjectName) -> Self {
        Self {
            object_name: object_name.to_string(),
            problem: "it has no encryptedData, and so no item that could be changed by itself".to_owned(),
            rule: Rule::Refused(Reason::Malformed),
            hint: Some("seal migrate makes items of spec.data, with the key at hand".to_owned()),
        }
    }

    /// A name that another item has.
    pub(super) fn there_already(object_name: &ObjectName, item: &ItemName) -> Self {
        Self {
            object_name: object_name.to_string(),
            problem: format!("there is an item {item} already"),
            rule: Rule::NothingToDo,
            hint: Some(format!("remove it first, if it isn't needed: seal rm FILE {item}")),
        }
    }

    /// An item that a Go template may use.
    pub(super) fn in_go_template(object_name: &ObjectName, item: &ItemName, key: &str) -> Self {
        let key = seal_foreign::word(key);
        Self {
            object_name: object_name.to_string(),
            problem: format!("template.data.{key} uses item {item}"),
            rule: Rule::Refused(Reason::InvalidTemplate),
            hint: Some(format!("change or remove template.data.{key} first")),
        }
    }
}
