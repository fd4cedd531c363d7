//! The table of the kinds that are unsealed: for each, its place in the Kubernetes API and its format.
//!
//! [`Format`] alone tells formats apart and knows no API. Invariant: a row agrees with the Rust type of its kind.

use super::{API_VERSION, GROUP, SEALED_SECRET, VERSION, bitnami};
use crate::format::Format;

/// An API group, and its kind whose objects are unsealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// The format of its objects.
    pub format: Format,
    /// The name of the API group.
    pub name: &'static str,
    /// The only version that is served.
    pub version: &'static str,
    /// Group and version in the form of manifests.
    pub api_version: &'static str,
    /// The kind in the form of manifests.
    pub kind: &'static str,
    /// The kind in the form of the API's paths.
    pub plural: &'static str,
}

impl Group {
    /// The group of the native format.
    pub const NATIVE: Self = Self {
        format: Format::Native,
        name: GROUP,
        version: VERSION,
        api_version: API_VERSION,
        kind: SEALED_SECRET,
        plural: "sealedsecrets",
    };
    /// The group of sealed-secrets.
    pub const BITNAMI: Self = Self {
        format: Format::Bitnami,
        name: bitnami::GROUP,
        version: bitnami::VERSION,
        api_version: bitnami::API_VERSION,
        kind: SEALED_SECRET,
        plural: "sealedsecrets",
    };
    /// All groups.
    pub const ALL: [Self; 2] = [Self::NATIVE, Self::BITNAMI];

    /// The group whose objects are in this format.
    pub const fn of(format: Format) -> Self {
        match format {
            Format::Native => Self::NATIVE,
            Format::Bitnami => Self::BITNAMI,
        }
    }

    /// The group of an object with this `apiVersion` and `kind`, in any version; `None` if the object isn't one to
    /// unseal.
    pub fn find(api_version: &str, kind: &str) -> Option<Self> {
        // An `apiVersion` without a slash belongs to the core group, which has none of these kinds.
        let (name, _) = api_version.split_once('/')?;
        Self::ALL.into_iter().find(|group| group.name == name && group.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use kube::Resource;

    use super::super::SealedSecret;
    use super::*;

    fn says<K: Resource<DynamicType = ()>>(group: Group) {
        assert_eq!(group.name, K::group(&()));
        assert_eq!(group.version, K::version(&()));
        assert_eq!(group.api_version, K::api_version(&()));
        assert_eq!(group.kind, K::kind(&()));
        assert_eq!(group.plural, K::plural(&()));
    }

    #[test]
    fn each_says_what_the_type_of_its_kind_says() {
        says::<SealedSecret>(Group::NATIVE);
        says::<bitnami::SealedSecret>(Group::BITNAMI);
        assert_eq!(Group::ALL, [Format::Native, Format::Bitnami].map(Group::of));
    }

    #[test]
    fn an_object_is_found_by_group_and_kind_in_whichever_version() {
        assert_eq!(Group::find("sealing.dev/v1alpha1", "SealedSecret"), Some(Group::NATIVE));
        assert_eq!(Group::find("sealing.dev/v2", "SealedSecret"), Some(Group::NATIVE));
        assert_eq!(Group::find("bitnami.com/v1alpha1", "SealedSecret"), Some(Group::BITNAMI));
        for (api_version, kind) in [
            ("sealing.dev/v1alpha1", "SealingKey"),
            ("sealing.dev", "SealedSecret"),
            ("example.com/v1alpha1", "SealedSecret"),
            ("v1", "Secret"),
            ("", ""),
        ] {
            assert_eq!(Group::find(api_version, kind), None, "{api_version} {kind}");
        }
    }
}
