//! The CustomResourceDefinitions, as installed.
//!
//! Made from the Rust types, so that schema and decoder can't disagree; the YAML beside this crate is
//! this output, and a test fails when it isn't. Invariant: every SealedSecret the apiserver has stored
//! carries a status, because an object without one reads as Current under kstatus' rules.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{SealedSecret, SealingKey};

/// The CustomResourceDefinitions of this group, in the order to install them.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut sealed_secret = SealedSecret::crd();
    let mut sealing_key = SealingKey::crd();
    for crd in [&mut sealed_secret, &mut sealing_key] {
        for version in &mut crd.spec.versions {
            if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
                make_structural(schema);
            }
        }
    }
    default_status(&mut sealed_secret);
    vec![sealed_secret, sealing_key]
}

/// What schemars says in two ways the apiserver wants said in one.
///
/// `deny_unknown_fields` becomes `additionalProperties: false`, which a structural schema may not say
/// beside `properties`: the apiserver prunes unknown fields instead. `Option` becomes `nullable`, but an
/// absent field has one spelling, and `null` isn't it.
fn make_structural(schema: &mut JSONSchemaProps) {
    if matches!(schema.additional_properties, Some(JSONSchemaPropsOrBool::Bool(false))) {
        schema.additional_properties = None;
    }
    schema.nullable = None;
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        make_structural(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        make_structural(items);
    }
}

/// The default covers `status` as a whole: a default on `status.observedGeneration` alone would do
/// nothing for an object that has no status at all.
fn default_status(crd: &mut CustomResourceDefinition) {
    for version in &mut crd.spec.versions {
        let status = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
            .and_then(|schema| schema.properties.as_mut())
            .and_then(|properties| properties.get_mut("status"));
        if let Some(status) = status {
            status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 })));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `make generate` runs this with SEAL_UPDATE=1, which writes the files instead.
    #[test]
    fn the_yaml_beside_this_crate_is_what_the_types_say() {
        for crd in definitions() {
            let name = crd.metadata.name.clone().unwrap();
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.yaml"));
            let yaml = format!(
                "# Generated from the types in crds/src/resources by `make generate`; don't edit.\n{}",
                serde_yaml::to_string(&crd).unwrap()
            );
            if std::env::var_os("SEAL_UPDATE").is_some() {
                std::fs::write(&path, &yaml).unwrap();
            }
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(found == yaml, "{} is out of date: run `make generate`", path.display());
        }
    }

    #[test]
    fn no_schema_says_additional_properties_false() {
        let text = serde_json::to_string(&definitions()).unwrap();
        assert!(
            !text.contains("\"additionalProperties\":false"),
            "the apiserver refuses it beside properties"
        );
    }

    #[test]
    fn an_object_without_a_status_gets_one_that_is_not_current() {
        let crd = serde_json::to_value(&definitions()[0]).unwrap();
        let status = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
        assert_eq!(status["default"], serde_json::json!({ "observedGeneration": -1 }));
    }
}
