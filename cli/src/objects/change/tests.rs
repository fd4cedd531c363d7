//! Changes of objects in their files.
//!
//! The contract's own tests hold what becomes of items and envelopes; these hold what becomes of the file.

mod layouts;

use super::*;

#[test]
fn a_go_template_that_names_an_item_may_use_it() {
    for text in ["{{ .a }}", "x{{$.a|b64enc}}", "{{ index . \"a\" }}", "{{ get . `a` }}", "{{ if .a.b }}"] {
        assert!(may_use(text, "a"), "{text}");
    }
    for text in ["a", ".a", "{{ .ab }}", "{{ .b }} a", "{{ printf \"a%s\" .b }}"] {
        assert!(!may_use(text, "a"), "{text}");
    }
}

/// The failure of a change of a native object whose template uses item `password`.
fn refused(
    change: impl Fn(&Changeable, &Manifest<'_>, &Object) -> Result<Change, Failure>,
) -> (String, Option<String>) {
    let recipient = seal_crds::keys::Identity::generate().recipient().clone();
    let recipients = [NamedRecipient { recipient, name: None }];
    let item = |name: &str| (name.parse().unwrap(), Item::new(Plaintext::from(b"x".to_vec()), true));
    let template = seal_crds::resources::Template {
        data: [("url".to_owned(), "db://$(password|url)@db".to_owned())].into(),
        ..Default::default()
    };
    let place = seal_crds::Place { namespace: "prod".parse().unwrap(), name: "db".parse().unwrap() };
    let items = ["user", "password"].map(item).into();
    let spec = native::seal(&place, Scope::Strict, &recipients, &items, template, &allowed()).unwrap();
    let head =
        "apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {name: db, namespace: prod}\n";
    let text = format!("{head}{}", *Written::one("spec", &sealing::spec_value(&spec)).to_yaml(0));
    let source = seal_documents::source::Source::new("f".to_owned(), zeroize::Zeroizing::new(text));
    let manifest = Manifest::parse(&source).unwrap();
    let object = find(&manifest, None).unwrap();
    let sealed = Changeable::read(&manifest, object, None).unwrap();
    let failure = change(&sealed, &manifest, object).err().unwrap();
    (failure.facts.join(": "), failure.hint.clone())
}

#[test]
fn an_item_that_the_template_uses_is_not_removed_renamed_or_sealed_anew_unseen() {
    let password: ItemName = "password".parse().unwrap();
    let removed = |sealed: &Changeable, manifest: &Manifest<'_>, object: &Object| {
        sealed.remove(manifest, object, &[password.clone()].into())
    };
    let (fact, hint) = refused(removed);
    assert_eq!(fact, "prod/db: template.data.url uses item password");
    assert_eq!(hint.as_deref(), Some("change or remove template.data.url first"));
    let renamed = |sealed: &Changeable, _: &Manifest<'_>, _: &Object| {
        sealed.check_renamings(&[("pw".parse().unwrap(), password.clone())].into())?;
        unreachable!("the template uses it")
    };
    assert_eq!(refused(renamed).0, fact);
    let set = |sealed: &Changeable, _: &Manifest<'_>, _: &Object| {
        sealed.check_template([password.clone()], std::slice::from_ref(&password))?;
        sealed.check_template([password.clone()], &[])?;
        unreachable!("the template uses it")
    };
    let (fact, hint) = refused(set);
    assert!(fact.ends_with("item password, which is not sealed for use in templates"), "{fact}");
    assert!(hint.unwrap().starts_with("add --template-item password"));
}
