//! Arguments as the real kubeseal takes them.
//!
//! Invariant: each case was tried with the real kubeseal.

use super::*;

fn read(args: &[&str]) -> Result<FlagValues, FlagError> {
    parse(args.iter().map(|arg| (*arg).to_owned()), |_| None)
}

fn refused(args: &[&str]) -> String {
    read(args).err().unwrap().to_string()
}

#[test]
fn the_table_is_sorted_and_has_each_name_once() {
    assert!(FLAGS.windows(2).all(|pair| pair[0].name < pair[1].name));
}

#[test]
fn the_help_of_scope_names_every_scope() {
    let flag = FLAGS.iter().find(|flag| flag.name == "scope").unwrap();
    for scope in seal_crds::Scope::ALL {
        assert!(flag.about.contains(scope.as_str()), "{scope}");
    }
}

#[test]
fn a_value_stands_behind_an_equals_sign_or_a_space_or_the_letter() {
    for args in [&["--format", "yaml"][..], &["--format=yaml"], &["-o", "yaml"], &["-oyaml"], &["-o=yaml"]] {
        assert_eq!(read(args).unwrap().text("format").as_deref(), Some("yaml"), "{args:?}");
    }
    assert_eq!(
        read(&["-vo"]).err().unwrap().to_string(),
        "invalid argument \"o\" for \"-v, --v\" flag: strconv.ParseInt: parsing \"o\": invalid syntax"
    );
    assert_eq!(read(&["-o="]).unwrap().text("format").as_deref(), Some("="));
}

#[test]
fn a_bool_takes_its_value_only_behind_an_equals_sign() {
    assert!(read(&["--raw", "false"]).unwrap().is_set("raw"));
    assert!(!read(&["--raw=F"]).unwrap().is_set("raw"));
    assert!(!read(&["--raw", "--raw=0"]).unwrap().is_set("raw"));
}

#[test]
fn lists_are_repeated_or_separated_by_commas() {
    let values = read(&["--from-file", "a,\"b,c\"", "--from-file=d", "--as-group", "x,y"]).unwrap();
    assert_eq!(values.texts("from-file"), ["a", "b,c", "d"]);
    assert_eq!(values.texts("as-group"), ["x,y"]);
}

#[test]
fn words_and_what_follows_two_dashes_are_passed_over() {
    let values = read(&["word", "-", "--raw", "--", "--validate", "--bogus"]).unwrap();
    assert!(values.is_set("raw") && !values.is_set("validate"));
}

#[test]
fn what_pflag_refuses_is_refused_in_its_words() {
    assert_eq!(refused(&["--bogus"]), "unknown flag: --bogus");
    assert_eq!(refused(&["-x"]), "unknown shorthand flag: 'x' in -x");
    assert_eq!(refused(&["--=x"]), "bad flag syntax: --=x");
    assert_eq!(refused(&["---"]), "bad flag syntax: ---");
    assert_eq!(refused(&["--format"]), "flag needs an argument: --format");
    assert_eq!(refused(&["-w"]), "flag needs an argument: 'w' in -w");
    assert!(refused(&["--raw=maybe"]).starts_with("invalid argument \"maybe\" for \"--raw\" flag: "));
    assert_eq!(
        refused(&["--scope=x"]),
        "invalid argument \"x\" for \"--scope\" flag: must be one of: strict, namespace-wide, cluster-wide"
    );
}

#[test]
fn klogs_flags_are_taken() {
    for args in
        [&["-v5"][..], &["-v", "5"], &["--v=9"], &["--logtostderr=false"], &["--stderrthreshold=WARNING"]]
    {
        assert!(read(args).is_ok(), "{args:?}");
    }
    for args in [&["--log_file_max_size=0x10"][..], &["--vmodule=a=1,"], &["--log_backtrace_at=a.go:7"]] {
        assert!(read(args).is_ok(), "{args:?}");
    }
    for args in [&["--vmodule=a=b"][..], &["--stderrthreshold=zz"], &["-vx"], &["--log_dir"]] {
        assert!(read(args).is_err(), "{args:?}");
    }
}

#[test]
fn the_environment_sets_what_the_arguments_do_not() {
    let environment = |name: &str| match name {
        "SEALED_SECRETS_FORMAT" => Some("yaml".to_owned()),
        "SEALED_SECRETS_CONTROLLER_NAMESPACE" => Some("ops".to_owned()),
        "SEALED_SECRETS_SCOPE" => Some("bogus".to_owned()),
        "SEALED_SECRETS_V" => Some("bogus".to_owned()),
        _ => None,
    };
    let values = parse(["--format=json".to_owned()], environment).unwrap();
    assert_eq!(values.text("format").as_deref(), Some("json"));
    assert_eq!(values.text("controller-namespace").as_deref(), Some("ops"));
    assert_eq!(values.text("scope"), None);
}

#[test]
fn the_old_name_of_a_flag_is_told_of() {
    let values = read(&["--rotate"]).unwrap();
    assert!(values.is_set("re-encrypt"));
    assert_eq!(values.notes, ["Flag --rotate has been deprecated, please use --re-encrypt instead"]);
}
