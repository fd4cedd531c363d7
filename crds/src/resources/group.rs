//! The kinds that are unsealed: one line for each, with where the Kubernetes API has it and the format it is in.
//!
//! Not how it is sealed ([`Format`]), which tells formats apart and knows no API. Invariant: what a line says is what
//! the kind's own type says.

use super::{API_VERSION, GROUP, SEALED_SECRET, VERSION, bitnami};
use crate::format::Format;

/// A kind of an API group whose objects are unsealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// How its objects are sealed.
    pub format: Format,
    /// The API group.
    pub name: &'static str,
    /// The only version that is served.
    pub version: &'static str,
    /// Group and version, as manifests write them.
    pub api_version: &'static str,
    /// The kind, as manifests write it.
    pub kind: &'static str,
    /// The kind, as the paths of the API have it.
    pub plural: &'static str,
}

impl Group {
    /// Ours.
    pub const NATIVE: Self = Self {
        format: Format::Native,
        name: GROUP,
        version: VERSION,
        api_version: API_VERSION,
        kind: SEALED_SECRET,
        plural: "sealedsecrets",
    };
    /// That of sealed-secrets.
    pub const BITNAMI: Self = Self {
        format: Format::Bitnami,
        name: bitnami::GROUP,
        version: bitnami::VERSION,
        api_version: bitnami::API_VERSION,
        kind: SEALED_SECRET,
        plural: "sealedsecrets",
    };
    /// All of them.
    pub const ALL: [Self; 2] = [Self::NATIVE, Self::BITNAMI];

    /// The one whose objects are in this format.
    pub const fn of(format: Format) -> Self {
        match format {
            Format::Native => Self::NATIVE,
            Format::Bitnami => Self::BITNAMI,
        }
    }

    /// The one that an object with this `apiVersion` and `kind` belongs to, of whichever version of the group.
    pub fn find(api_version: &str, kind: &str) -> Option<Self> {
        // Without a slash, it is a version of the core group, which has none of these kinds.
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
