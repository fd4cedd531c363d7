//! The functions of Go's templates and sprig that this crate doesn't have, each with the reason.
//!
//! Invariant: these and the tables together are all functions of Go's templates and sprig v3.

const TIME: &str = "it depends on the time";
const CHANCE: &str = "it gives something else each time";
const CHANGES: &str = "it changes its argument";
const HOST: &str = "it depends on the machine";
const FAILS: &str = "all that it does is fail";
const OTHER: &str = "Secrets are hardly made with it";

const FUNCTIONS: &[(&str, &[&str])] = &[
    (
        TIME,
        &[
            "ago",
            "date",
            "date_in_zone",
            "date_modify",
            "dateInZone",
            "dateModify",
            "duration",
            "durationRound",
            "htmlDate",
            "htmlDateInZone",
            "must_date_modify",
            "mustDateModify",
            "mustToDate",
            "now",
            "toDate",
            "unixEpoch",
        ],
    ),
    (
        CHANCE,
        &[
            "bcrypt",
            "htpasswd",
            "genPrivateKey",
            "buildCustomCert",
            "genCA",
            "genCAWithKey",
            "genSelfSignedCert",
            "genSelfSignedCertWithKey",
            "genSignedCert",
            "genSignedCertWithKey",
            "encryptAES",
            "randAlpha",
            "randAlphaNum",
            "randAscii",
            "randBytes",
            "randInt",
            "randNumeric",
            "shuffle",
            "uuidv4",
        ],
    ),
    (CHANGES, &["set", "unset", "merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite"]),
    (HOST, &["env", "expandenv", "getHostByName", "osBase", "osClean", "osDir", "osExt", "osIsAbs"]),
    (FAILS, &["fail"]),
    (
        OTHER,
        &[
            "addf",
            "add1f",
            "subf",
            "mulf",
            "divf",
            "base",
            "clean",
            "dir",
            "ext",
            "isAbs",
            "call",
            "decryptAES",
            "derivePassword",
            "semver",
            "semverCompare",
            "urlJoin",
            "urlParse",
            "regexMatch",
            "mustRegexMatch",
            "regexFind",
            "mustRegexFind",
            "regexFindAll",
            "mustRegexFindAll",
            "regexReplaceAll",
            "mustRegexReplaceAll",
            "regexReplaceAllLiteral",
            "mustRegexReplaceAllLiteral",
            "regexSplit",
            "mustRegexSplit",
            "regexQuoteMeta",
            "abbrev",
            "abbrevboth",
            "camelcase",
            "kebabcase",
            "snakecase",
        ],
    ),
];

/// The reason why a function isn't supported; `None` if Go's templates and sprig don't have it.
pub(super) fn why(name: &str) -> Option<&'static str> {
    FUNCTIONS.iter().find(|(_, names)| names.contains(&name)).map(|(why, _)| *why)
}
