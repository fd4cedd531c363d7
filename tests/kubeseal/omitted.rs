//! `null` in `template.data`, which leaves an item out of the Secret: ours reads, prints and obeys it as the real
//! one does.

use super::{Program, assert_same, outcome};

#[test]
fn null_leaves_an_item_out_and_stays_where_it_is_written() {
    let sealed = outcome(Program::Peer, "--cert cert.pem", "several.yaml", &|_| {}).run.stdout;
    // The second Secret has three items.
    let mut sealed: serde_json::Value =
        serde_json::Deserializer::from_slice(&sealed).into_iter().last().unwrap().unwrap();
    sealed["spec"]["template"]["data"] = serde_json::json!({"9": null, "nobody": null, "url": "{{ index . \"9\" }}@{{ .password }}{{ .plain }}", "plain": "p"});
    let sealed = sealed.to_string();
    let write = |sandbox: &crate::sandbox::Sandbox| sandbox.write("sealed", &sealed);
    for format in ["json", "yaml"] {
        let args = format!("--recovery-unseal --recovery-private-key key.pem -o {format}");
        let opened = assert_same(&args, "sealed", &write);
        assert_eq!(opened.run.code, 0, "{}", opened.run.stderr);
        let secret: serde_json::Value = serde_yaml::from_slice(&opened.run.stdout).unwrap();
        let keys: Vec<_> = secret["data"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["10", "password", "plain", "url"]);
        let args = format!("--cert cert.pem --merge-into sealed -o {format}");
        let merged = assert_same(&args, "plain.yaml", &write);
        assert_eq!(merged.run.code, 0, "{}", merged.run.stderr);
        let merged: serde_json::Value =
            serde_yaml::from_slice(&merged.files[std::path::Path::new("sealed")]).unwrap();
        assert_eq!(merged["spec"]["template"]["data"].get("9"), Some(&serde_json::Value::Null));
    }
}
