//! What each lint finds, why that matters, and what to do: the text of `--explain` and of SARIF.
//!
//! Invariant: a row for each lint, in their order.

use super::Severity::{Error, Warning};
use super::{Lint, Row};

pub(super) const TABLE: [Row; 33] = [
    Row {
        lint: Lint::Plaintext,
        name: "plaintext",
        severity: Error,
        finds: "a Secret with values in plaintext",
        why: "Everybody who can read the repository, or ever gets a copy of it, can read these values. Git keeps them in \
              its history, also after the file was sealed. A value that is only ${NAME}, which a deployment fills in, is \
              a note; values that SOPS encrypted are no finding. A Helm template is read by its lines: a value that is typed \
              there is an error, a text around {{ … }} a warning.",
        fix: "Seal it where it stands: seal -w FILE. If it was ever pushed, change the value at its source too.",
    },
    Row {
        lint: Lint::PlaintextGenerator,
        name: "plaintext-generator",
        severity: Error,
        finds: "a secretGenerator of kustomize whose values are in the repository",
        why: "Literals, and files and envs that Git tracks, are plaintext to everybody who can read the repository. Files \
              that Git ignores are no finding.",
        fix: "Make a SealedSecret of it (seal create NAME --env-file FILE), and list that under resources.",
    },
    Row {
        lint: Lint::PlaintextAnnotation,
        name: "plaintext-annotation",
        severity: Error,
        finds: "a SealedSecret with an annotation that holds the Secret in plaintext",
        why: "kubectl apply keeps the object that it applied in kubectl.kubernetes.io/last-applied-configuration. A \
              Secret that was applied, read back and sealed has its values there.",
        fix: "Remove the annotation, and change the values at their source: they are in Git's history.",
    },
    Row {
        lint: Lint::PlaintextTemplate,
        name: "plaintext-template",
        severity: Warning,
        finds: "a SealedSecret whose template holds a value that looks like a secret in plaintext",
        why: "What stands under spec.template is public. Only items are sealed.",
        fix: "Make an item of the value (seal set FILE ITEM), and refer to it in the template.",
    },
    Row {
        lint: Lint::PrivateKey,
        name: "private-key",
        severity: Error,
        finds: "a private key that opens SealedSecrets, in the clear",
        why: "An age identity, or a key of a cluster, opens everything that was ever sealed to it, also what stands in \
              Git's history.",
        fix: "Treat the key as leaked: seal keys revoke, rotate, and change the values at their source.",
    },
    Row {
        lint: Lint::Copied,
        name: "copied",
        severity: Error,
        finds: "a data key under two places",
        why: "A data key is bound to one place, so a copy under another namespace or name doesn't open there. Nobody needs \
              a key to see it: both objects name the same data key.",
        fix: "Seal the values again for the new place: seal move FILE -n NAMESPACE -i IDENTITY, or seal -n NAMESPACE.",
    },
    Row {
        lint: Lint::Moved,
        name: "moved",
        severity: Error,
        finds: "a data key under another place than before",
        why: "The namespace and the name are part of what is sealed. An object that is renamed without sealing again \
              doesn't open.",
        fix: "Rename it with seal move FILE --name NAME -i IDENTITY, or take the old name back.",
    },
    Row {
        lint: Lint::Transformed,
        name: "transformed",
        severity: Error,
        finds: "a kustomization that changes a name or namespace that is part of a seal",
        why: "kustomize's namespace, namePrefix and nameSuffix, and the same options of Flux and Argo CD, rewrite a \
              SealedSecret's metadata. It then doesn't open in the cluster. A setting that can't be followed without \
              running kustomize is a note.",
        fix: "Seal for the place that comes out, or with a scope that doesn't bind what changes, or leave the file out of \
              the transformer.",
    },
    Row {
        lint: Lint::StaleReference,
        name: "stale-reference",
        severity: Warning,
        finds: "a workload that names a Secret which kustomize renames",
        why: "kustomize renames references to a Secret only if it sees a Secret of that name. It sees a SealedSecret, so a \
              Deployment keeps the old name and doesn't start.",
        fix: "Add a nameReference for SealedSecret to the kustomization's configurations, or drop the prefix.",
    },
    Row {
        lint: Lint::Place,
        name: "place",
        severity: Error,
        finds: "a SealedSecret in a namespace, or at a path, that the rule doesn't allow",
        why: "The rule of .seal.yaml ties a path to a namespace, or forbids SealedSecrets there. An object elsewhere is \
              sealed to the recipients of the wrong environment.",
        fix: "Move the file to the path of its namespace, or change the rule.",
    },
    Row {
        lint: Lint::Scope,
        name: "scope",
        severity: Error,
        finds: "a SealedSecret whose scope the rule doesn't allow",
        why: "A wider scope lets everybody who may create objects in the namespace, or in the cluster, open it under \
              another name.",
        fix: "Seal it again with a scope that the rule allows.",
    },
    Row {
        lint: Lint::Type,
        name: "type",
        severity: Error,
        finds: "a SealedSecret that makes a Secret of a type that the rule doesn't allow",
        why: "Some types have a meaning to the cluster, such as service account tokens.",
        fix: "Change the type, or allow it in the rule.",
    },
    Row {
        lint: Lint::Format,
        name: "format",
        severity: Error,
        finds: "a SealedSecret in a format that the rule doesn't allow",
        why: "An object of bitnami.com can have neither several recipients nor a recovery recipient, which the rule asks \
              for.",
        fix: "Turn it into a native object: seal migrate FILE -i BACKUP.",
    },
    Row {
        lint: Lint::RecipientsExtra,
        name: "recipients-extra",
        severity: Error,
        finds: "a SealedSecret that is sealed to somebody who isn't in the rule",
        why: "Whoever it is can open the values. A recipient that the pins call retiring is a warning.",
        fix: "If nobody wants that, rotate (seal rotate FILE -i IDENTITY) and change the values at their source; else add \
              the recipient to the rule.",
    },
    Row {
        lint: Lint::RecipientsMissing,
        name: "recipients-missing",
        severity: Error,
        finds: "a SealedSecret that isn't sealed to a recipient of the rule",
        why: "A cluster that isn't a recipient can't open it; without the recovery recipient the values are lost with the \
              cluster.",
        fix: "Seal it to all recipients of the rule: seal rotate FILE.",
    },
    Row {
        lint: Lint::RecipientsRevoked,
        name: "recipients-revoked",
        severity: Error,
        finds: "a SealedSecret that is sealed to a revoked or destroyed key",
        why: "Somebody else may have that key, and can open the values.",
        fix: "Rotate (seal rotate FILE) and change the values at their source.",
    },
    Row {
        lint: Lint::HiddenRecipient,
        name: "hidden-recipient",
        severity: Error,
        finds: "an envelope with more age stanzas than recipients that it names",
        why: "Each stanza is somebody who can open the envelope. One that isn't named was put there on purpose, or by \
              another tool.",
        fix: "Seal the values again from their source, and find out who made the file.",
    },
    Row {
        lint: Lint::Malformed,
        name: "malformed",
        severity: Error,
        finds: "a SealedSecret that the controller would refuse",
        why: "It doesn't open, so no Secret comes of it, or an old one stays.",
        fix: "Take the last version that was right from Git, or seal the values again.",
    },
    Row {
        lint: Lint::UnusedEnvelope,
        name: "unused-envelope",
        severity: Error,
        finds: "an envelope that no item needs",
        why: "The controller refuses such an object. A text merge of two branches that each remove an item leaves one.",
        fix: "Drop it, which needs no key: seal tidy FILE.",
    },
    Row {
        lint: Lint::MissingKey,
        name: "missing-key",
        severity: Error,
        finds: "an item whose data key is in no envelope",
        why: "The item can't be opened by anybody. Somebody copied an item without its envelope, or a merge lost it.",
        fix: "Take the envelope from the version that the item came from, or set the item again: seal set FILE ITEM.",
    },
    Row {
        lint: Lint::Duplicate,
        name: "duplicate",
        severity: Error,
        finds: "two things where one may be: an object, an item or a data key",
        why: "Readers disagree on which of the two counts, and a cluster keeps the one that was applied last.",
        fix: "Remove one of them.",
    },
    Row {
        lint: Lint::ConflictMarker,
        name: "conflict-marker",
        severity: Error,
        finds: "a marker of a merge conflict in a manifest",
        why: "The file can't be read. Both sides of the conflict are still in it.",
        fix: "Finish the merge: seal resolve FILE.",
    },
    Row {
        lint: Lint::TemplateItem,
        name: "template-item",
        severity: Error,
        finds: "a template that names an item which isn't there, or may not be used",
        why: "The controller refuses the object, so no Secret comes of it.",
        fix: "Add the item (seal set FILE ITEM --template-item ITEM), or take it out of the template.",
    },
    Row {
        lint: Lint::PinsChanged,
        name: "pins-changed",
        severity: Error,
        finds: "rules or recipients that differ from those of --policy",
        why: "Whoever changes them decides who can open what is sealed from now on. That is a decision of its own.",
        fix: "Have the owners of the rules approve the change. The finding goes when the change is in the revision that \
              --policy names.",
    },
    Row {
        lint: Lint::NestedRules,
        name: "nested-rules",
        severity: Error,
        finds: "a rules file in a directory that the rules above don't list as nested, or a name that is like one",
        why: "It would take the directory out of the rules that hold above it. It isn't obeyed. A file whose name differs from \
              that of the rules, or of a file of pins, in upper and lower case alone takes its place in a clone on a Mac or \
              under Windows.",
        fix: "List the directory under nested in the rules file above, or remove the file.",
    },
    Row {
        lint: Lint::NoRule,
        name: "no-rule",
        severity: Warning,
        finds: "a SealedSecret that no rule is about",
        why: "Nothing says to whom it should be sealed, so nothing is checked.",
        fix: "Add a rule for its path to .seal.yaml.",
    },
    Row {
        lint: Lint::UnreachableRule,
        name: "unreachable-rule",
        severity: Warning,
        finds: "a rule that can't match, since an earlier one matches all of its paths",
        why: "The first rule that matches counts. Somebody may rely on the later one.",
        fix: "Move the narrower rule up, or remove it.",
    },
    Row {
        lint: Lint::TooOld,
        name: "too-old",
        severity: Warning,
        finds: "a value that was sealed longer ago than the rule allows",
        why: "The age is that of the oldest commit with this ciphertext. In a shallow clone it is unknown, which is no \
              finding.",
        fix: "Change the value at its source, and set it: seal set FILE ITEM.",
    },
    Row {
        lint: Lint::Superseded,
        name: "superseded",
        severity: Warning,
        finds: "a SealedSecret of bitnami.com beside a native one of the same place",
        why: "The native object makes the Secret, and the other one does nothing.",
        fix: "Remove the object of bitnami.com.",
    },
    Row {
        lint: Lint::TemplatedName,
        name: "templated-name",
        severity: Warning,
        finds: "a SealedSecret whose name or namespace is filled in later",
        why: "The place is part of the seal, so it opens under one name only, whatever is filled in.",
        fix: "Write the name and namespace that it was sealed for.",
    },
    Row {
        lint: Lint::Unreadable,
        name: "unreadable",
        severity: Warning,
        finds: "a file that names a Secret and can't be read",
        why: "Nobody can tell whether it holds plaintext, or whether its SealedSecrets open. It is an error if a bound was \
              passed, or if a part that names a Secret can't be parsed: a cluster may read it all the same.",
        fix: "Mend the file. A Helm template is checked as it is rendered: helm template … | seal check -.",
    },
    Row {
        lint: Lint::UnusedAllow,
        name: "unused-allow",
        severity: Warning,
        finds: "a comment or an entry of ignore that allows nothing",
        why: "It would hide a finding that comes later, or its author believes that it hides one now.",
        fix: "Remove it, or mend it: # seal: allow RULE -- REASON, above the object.",
    },
    Row {
        lint: Lint::StaleBaseline,
        name: "stale-baseline",
        severity: Warning,
        finds: "a line of .seal-baseline for a finding that is gone",
        why: "It would hide the finding if it came back.",
        fix: "Write the baseline again: seal check --write-baseline.",
    },
];
