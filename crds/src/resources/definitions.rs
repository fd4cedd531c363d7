//! The CustomResourceDefinitions, as installed.
//!
//! They are made from the Rust types, so that schema and decoder can't disagree. The YAML beside this crate is this
//! output; a test fails if it isn't. Invariant: every SealedSecret that the apiserver has stored carries a status,
//! because kstatus reads an object without one as Current.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{SealedSecret, SealingKey, bitnami};

/// The CustomResourceDefinitions of both groups, in the order to install them.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut sealed_secret = SealedSecret::crd();
    let mut sealing_key = SealingKey::crd();
    let mut bitnami = bitnami::SealedSecret::crd();
    for crd in [&mut sealed_secret, &mut sealing_key, &mut bitnami] {
        for version in &mut crd.spec.versions {
            if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
                make_structural(schema);
            }
        }
    }
    default_status(&mut sealed_secret);
    default_status(&mut bitnami);
    relax_conditions(&mut bitnami);
    relax_spec(&mut bitnami);
    vec![sealed_secret, sealing_key, bitnami]
}

/// Changes two forms that schemars writes into forms that the apiserver accepts.
///
/// schemars writes `deny_unknown_fields` as `additionalProperties: false`, which a structural schema may not have
/// beside `properties`: the apiserver prunes unknown fields instead. And it writes `Option` as `nullable`, but an
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

/// Gives `status` a default as a whole. A default of `status.observedGeneration` alone would do nothing for an object
/// without any status.
fn default_status(crd: &mut CustomResourceDefinition) {
    let status = status(crd).expect("both kinds of SealedSecret have a status");
    status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 })));
}

/// Accepts the conditions of the controller of sealed-secrets, which have no reason, message or generation, but a
/// `lastUpdateTime`. A schema that demanded our fields would refuse its status, should it take the objects back.
fn relax_conditions(crd: &mut CustomResourceDefinition) {
    let conditions = status(crd).and_then(|status| status.properties.as_mut()?.get_mut("conditions"));
    let Some(JSONSchemaPropsOrArray::Schema(condition)) = conditions.and_then(|list| list.items.as_mut())
    else {
        unreachable!("conditions are a list of one kind of object")
    };
    condition.required = Some(vec!["status".to_owned(), "type".to_owned()]);
    let properties = condition.properties.get_or_insert_default();
    for name in ["reason", "message"] {
        let text = JSONSchemaProps { type_: Some("string".to_owned()), ..Default::default() };
        properties.insert(name.to_owned(), text);
    }
    let time = JSONSchemaProps {
        type_: Some("string".to_owned()),
        format: Some("date-time".to_owned()),
        description: Some("The time when the condition was last written: RFC 3339.".to_owned()),
        ..Default::default()
    };
    properties.insert("lastUpdateTime".to_owned(), time);
}

/// Accepts `null` where sealed-secrets does, and removes a default. The programs of sealed-secrets write `null` in
/// two places where Go has an empty map or struct, and its definition allows that. The apiserver must store an object
/// as it was written, without defaults. `null` for a key of `template.data` leaves an item out of the Secret. The
/// definition of sealed-secrets doesn't allow that `null`: there the apiserver drops it, so that the item is in the
/// Secret, or refuses the object.
fn relax_spec(crd: &mut CustomResourceDefinition) {
    let spec = part(crd, "spec").and_then(|spec| spec.properties.as_mut()).expect("there is a spec");
    spec.get_mut("encryptedData").expect("there are items").default = None;
    let template = spec.get_mut("template").and_then(|template| template.properties.as_mut());
    let template = template.expect("the template has fields");
    for name in ["data", "metadata"] {
        template.get_mut(name).expect("both are fields of the template").nullable = Some(true);
    }
    let texts = template.get_mut("data").and_then(|data| data.additional_properties.as_mut());
    let Some(JSONSchemaPropsOrBool::Schema(text)) = texts else {
        unreachable!("template.data is a map of texts")
    };
    text.nullable = Some(true);
}

fn status(crd: &mut CustomResourceDefinition) -> Option<&mut JSONSchemaProps> {
    part(crd, "status")
}

fn part<'c>(crd: &'c mut CustomResourceDefinition, name: &str) -> Option<&'c mut JSONSchemaProps> {
    let schema = crd.spec.versions.first_mut()?.schema.as_mut()?.open_api_v3_schema.as_mut()?;
    schema.properties.as_mut()?.get_mut(name)
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
        for index in [0, 2] {
            let crd = serde_json::to_value(&definitions()[index]).unwrap();
            let status = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
            assert_eq!(status["default"], serde_json::json!({ "observedGeneration": -1 }));
        }
    }
}
