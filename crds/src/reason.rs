//! Reasons: the stable words that tell programs why an object is in its state, each with its meaning and a remedy.
//!
//! A condition, an Event, a metric's label or a status file says a reason in one word. Alerts, dashboards and
//! README's tables are built on these words. The sentence beside a reason in a condition comes from the error that
//! has the reason. Invariants: a reason never changes its text; and its kind, its subject and its remedy follow from
//! the reason alone, so that no two places can say different things of one reason.

#[cfg(test)]
mod tests;

/// The kind of a reason: no failure, or one of two kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// No failure: the reason names a state or an event.
    Notice,
    /// A failure that waits for somebody's change. A retry could only fail again.
    Permanent,
    /// A failure that may pass by itself. The controller retries for ever.
    Transient,
}

/// The subject of a reason: the thing to look at, or to change, if the reason should go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// The text of the SealedSecret.
    Object,
    /// The keys: those at hand, or a SealingKey.
    Key,
    /// The policy: the scopes and namespaces that the controller's flags allow.
    Policy,
    /// The Secret that the SealedSecret becomes.
    Secret,
    /// The store of the Secrets: the API server, or a host's file system.
    Store,
    /// The controller itself.
    Controller,
}

/// The place where people meet a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// In the conditions of a SealedSecret, in a cluster or in a host's status file.
    SealedSecret,
    /// In a host's status file or log only.
    Host,
    /// In the conditions of a SealingKey.
    SealingKey,
    /// In Events only.
    Event,
    /// In the controller's log only.
    Log,
    /// In an answer of the controller's HTTP endpoints for kubeseal only.
    Answer,
}

/// Makes the enum, [`Reason::ALL`] and the facts from one group of lines for each reason:
/// `Name: place where it is shown, kind, subject; meaning; remedy`.
macro_rules! reasons {
    ($($name:ident: $shown:ident, $kind:ident, $about:ident; $meaning:literal; $remedy:literal;)+) => {
        /// The reason for the state of an object, in one stable word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)+
        }

        impl Reason {
            /// All reasons, in the order of README's tables.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            fn facts(self) -> &'static Facts {
                match self {
                    $(Self::$name => &Facts {
                        text: stringify!($name),
                        shown: Shown::$shown,
                        kind: Kind::$kind,
                        about: About::$about,
                        meaning: $meaning,
                        remedy: $remedy,
                    },)+
                }
            }
        }
    };
}

struct Facts {
    text: &'static str,
    shown: Shown,
    kind: Kind,
    about: About,
    meaning: &'static str,
    remedy: &'static str,
}

reasons! {
    InSync: SealedSecret, Notice, Secret;
        "the Secret is what the SealedSecret says";
        "nothing";
    NoMatchingKey: SealedSecret, Permanent, Key;
        "no key at hand opens it; the message says to whom it is sealed";
        "restore that key, or seal again to a recipient of `seal keys fetch`";
    CannotOpen: SealedSecret, Permanent, Key;
        "in Bitnami's format: no RSA key at hand opens an item under this namespace, name and scope; the message says which were tried";
        "compare place and scope with those it was sealed for; restore the key; or seal again";
    TooManyTrials: SealedSecret, Permanent, Object;
        "in Bitnami's format: the items are sealed to so many different keys that opening them is too much work";
        "seal it again with one certificate, or split it";
    Superseded: SealedSecret, Permanent, Secret;
        "in Bitnami's format: a native SealedSecret of the same name has taken the Secret over";
        "delete this one; the Secret stays";
    WrongPlace: SealedSecret, Permanent, Object;
        "it was sealed for another namespace or name; the message names both";
        "seal it again for this place";
    WrongScope: SealedSecret, Permanent, Object;
        "it was sealed with another scope; the message names both";
        "put the scope back, or seal it again";
    ItemAltered: SealedSecret, Permanent, Object;
        "an item was changed after it was sealed, or was sealed as another item";
        "`git log -p` the file; revert, or seal again";
    EnvelopeAltered: SealedSecret, Permanent, Object;
        "an envelope was changed after it was sealed";
        "`git log -p` the file; revert, or seal again";
    MissingKey: SealedSecret, Permanent, Object;
        "an item needs a data key that is in no envelope: an envelope was removed, or the item is from elsewhere";
        "`git log -p` the file; revert, or seal again";
    WrongKeys: SealedSecret, Permanent, Object;
        "an envelope lists other data keys than it holds";
        "`git log -p` the file; revert, or seal again";
    DuplicateKey: SealedSecret, Permanent, Object;
        "a data key is listed more than once";
        "`git log -p` the file; revert, or seal again";
    WrongRecipients: SealedSecret, Permanent, Object;
        "an envelope lists other recipients than it is sealed to";
        "`git log -p` the file; revert, or seal again";
    UnusedEnvelope: SealedSecret, Permanent, Object;
        "the items that an envelope was for are gone";
        "remove the envelope that the message names";
    InvalidName: SealedSecret, Permanent, Object;
        "a namespace, a name or the name of an item is not allowed";
        "correct the name, and seal again";
    InvalidTemplate: SealedSecret, Permanent, Object;
        "the template can't be used, or asks for something that the Secret may not have; the message names the field";
        "correct the template";
    NotForTemplates: SealedSecret, Permanent, Object;
        "the template uses an item that was not sealed for use in templates";
        "seal the item again with `--template-item`, or take it out of the template";
    Malformed: SealedSecret, Permanent, Object;
        "the text is not in the format; the message names the field";
        "correct it, or seal again";
    MalformedEnvelope: SealedSecret, Permanent, Object;
        "what is inside an envelope is not in the format";
        "seal again";
    UnknownVersion: SealedSecret, Permanent, Object;
        "it was sealed by a later version";
        "update the controller";
    ScopeRefused: SealedSecret, Permanent, Policy;
        "the controller's flags don't allow the scope";
        "seal it with another scope, or change the flag that the message names";
    NamespaceRefused: SealedSecret, Permanent, Policy;
        "the controller's flags don't allow SealedSecrets in this namespace";
        "move it, or change the flag that the message names";
    ForeignSecret: SealedSecret, Permanent, Secret;
        "a Secret of this name exists and doesn't belong to this SealedSecret, or somebody took its owner reference away; on a host, something that isn't ours is in its place";
        "delete it, or annotate it with `sealing.dev/adopt`";
    FieldConflict: SealedSecret, Permanent, Secret;
        "another tool applies the same field of the Secret";
        "remove it from one of them";
    ImmutableSecret: SealedSecret, Permanent, Secret;
        "the Secret is immutable, or its type would change";
        "delete the Secret; it is made anew";
    SecretTooLarge: SealedSecret, Permanent, Secret;
        "the Secret would be larger than Kubernetes allows";
        "split it";
    SecretRefused: SealedSecret, Permanent, Secret;
        "the API server refuses the Secret; the message names the field, never the value";
        "correct the value, and seal again";
    Contested: SealedSecret, Transient, Secret;
        "somebody changes the Secret back again and again";
        "find out who: `kubectl get secret NAME -o yaml --show-managed-fields`";
    Conflict: SealedSecret, Transient, Secret;
        "somebody else changed the Secret or the SealedSecret at the same moment";
        "find out who else writes it if this stays";
    NotFound: SealedSecret, Transient, Store;
        "the API server doesn't have what a request was about, such as the namespace";
        "check that the namespace and the definitions exist if this stays";
    Forbidden: SealedSecret, Transient, Store;
        "the API server forbids what the controller has to do";
        "check the controller's role bindings, the quota and the policies of the namespace, and whether it is being deleted, if this stays";
    AdmissionRefused: SealedSecret, Transient, Store;
        "an admission policy or a webhook of the cluster refuses the Secret, whose own fields are in order";
        "find out which, with `kubectl create --dry-run=server` of such a Secret; change the policy or what it asks for";
    AdmissionUnavailable: SealedSecret, Transient, Store;
        "an admission webhook, without whose word the cluster takes no Secret, can't be reached, is too slow or answers nonsense";
        "look at the webhook that the message names: its Service, its Pods, its certificate and its timeout";
    ApiBusy: SealedSecret, Transient, Store;
        "the API server wants the request later: it has just started, or has too much to do";
        "look at the API server's load if this stays";
    ApiError: SealedSecret, Transient, Store;
        "the API server answered with an error, or with something that can't be read";
        "look at the API server's log if this stays";
    ApiUnavailable: SealedSecret, Transient, Store;
        "the API server can't be reached, or can't serve requests";
        "check network and credentials if this stays";
    Interrupted: SealedSecret, Transient, Controller;
        "the controller stopped, or failed, in the middle of the work";
        "look for a panic in the controller's log if this stays";

    Offered: SealedSecret, Notice, Object;
        "in the condition RewrapOffered: it isn't sealed to the current recipients, and `status.rewrap` has an envelope that is";
        "`seal rotate --from-cluster` on the repository";
    ForeignRecipients: SealedSecret, Notice, Object;
        "in the condition RewrapOffered: it is sealed to recipients that aren't this cluster's, so nothing is offered";
        "start the controller with those as `--extra-recipients` or `--former-recipients`, or rotate the file with an identity";
    OfferTooLarge: SealedSecret, Notice, Object;
        "in the condition RewrapOffered: with an offer the object would be larger than 1 MiB";
        "rotate the file with an identity, or split it";
    Unsupported: SealedSecret, Notice, Object;
        "in the condition RewrapOffered: no envelope can be made for the current recipients; the message says why";
        "correct the recipients that the controller was started with, or seal the values again";
    RevokedRecipient: SealedSecret, Notice, Object;
        "in the condition Exposed: a revoked recipient has had the data key of an item";
        "change the values of the items that the message names at the source, and seal them";
    SealedAfresh: SealedSecret, Notice, Object;
        "in the condition Exposed, as False: no data key of now was seen by a revoked recipient; what one had seen was sealed afresh";
        "nothing, if the values were changed at their source; sealing alone makes no value new";
    KeyMissing: SealedSecret, Notice, Key;
        "in the condition of the same name, and beside Ready while that is True: a sealing key that opened it is at hand no more; its Secret is right and stays as it is";
        "restore that key, or seal the values again";

    Ambiguous: Host, Permanent, Object;
        "several manifests are about the same Secret; the message names them";
        "keep one";
    NoSpace: Host, Transient, Store;
        "no space is left for the Secret, which is as it was";
        "make room";
    OutputFailed: Host, Transient, Store;
        "the Secret can't be written";
        "correct what the message names";
    StatusFailed: Host, Transient, Store;
        "the status file can't be written";
        "correct what the message names";

    NewestActive: SealingKey, Notice, Key;
        "Secrets are sealed to this key";
        "nothing";
    NotNewestActive: SealingKey, Notice, Key;
        "Secrets are not sealed to this key";
        "nothing";
    Retiring: SealingKey, Notice, Key;
        "the key is to retire, and Secrets are sealed to it until a newer one is the primary";
        "nothing; the controller makes a newer key";
    KeyAge: SealingKey, Notice, Key;
        "the key is as old as `--key-renewal` lets it become, and Secrets are sealed to it until a newer one is the primary";
        "nothing; the controller makes a newer key";
    RenewalSoon: SealingKey, Notice, Key;
        "within 30 days, a newer key takes the place of this one";
        "plan to commit the new recipients";
    RecoveryChanged: SealingKey, Notice, Key;
        "`--recovery-recipients` names another set than the key was made with; the message says who is added and removed";
        "`seal keys renew`, if the set is to be used now";
    BackupUnpublished: SealingKey, Transient, Key;
        "the ConfigMap that the message names doesn't hold the key's backup, and can't be corrected";
        "delete that ConfigMap if it is immutable";
    Unpublished: SealingKey, Transient, Key;
        "a newer key was made, and can't be published yet, or its backup can't";
        "look at the controller's log if this stays";
    KeyDeleted: SealingKey, Notice, Key;
        "somebody deleted the Secret of the newest key, so a newer one takes its place";
        "nothing; the controller makes a newer key";
    TooManyKeys: SealingKey, Permanent, Key;
        "a newer key is due, and there are 32 already";
        "delete keys that nothing needs: `seal keys status`";
    TooManyRecentKeys: SealingKey, Permanent, Key;
        "a newer key is due, and 8 keys are less than a day old";
        "find out who asks for new keys";
    ClockDiffers: SealingKey, Permanent, Controller;
        "the clocks of the controller and the API server differ by more than five minutes, or the answers have no date, so no key is renewed";
        "correct the clocks";
    CreatedInFuture: SealingKey, Notice, Key;
        "`createdAt` of the key is still to come, so its age counts from the creation of its Secret";
        "find out which clock was wrong";
    Revoked: SealingKey, Notice, Key;
        "the key is revoked: Secrets are never sealed to it again";
        "seal again what was sealed to it, with new values";
    IdentityMissing: SealingKey, Permanent, Key;
        "the Secret with the private half is missing or can't be read";
        "restore it from the backup";
    AcknowledgedBefore: SealingKey, Notice, Key;
        "the loss of the key was acknowledged while the controller had the private half, so that counts for no later loss";
        "nothing; once the key is lost for good, `seal keys delete --force` acknowledges that anew";
    StateUnreadable: SealingKey, Permanent, Key;
        "the Secret with the private half notes a state that isn't one, so the key is treated as revoked";
        "correct the annotation that the message names";
    LaterVersion: SealingKey, Permanent, Key;
        "a later version of the controller made the Secret with the private half";
        "update the controller";
    KeyInUse: SealingKey, Notice, Key;
        "the key is being deleted, and SealedSecrets don't open without it; its Event names them";
        "`seal rotate` and apply what the Event or `seal keys delete` names; or `seal keys restore` to keep the key";
    NotNeededNow: SealingKey, Notice, Key;
        "the key is being deleted, and every SealedSecret opens without it now; something needed it before, or nobody could tell";
        "nothing; the Secret goes once that has held for ten minutes; or `seal keys restore` to keep the key";
    NotProven: SealingKey, Notice, Key;
        "the key is being deleted, and the controller can't tell whether anything needs it; the message says why";
        "`seal keys delete --force` if you know that nothing does; or `seal keys restore` to keep the key";
    NothingNeedsIt: SealingKey, Notice, Key;
        "the key is being deleted, and every SealedSecret opens without it";
        "nothing";
    Planted: SealingKey, Permanent, Key;
        "the controller never had the private half of this recipient, and seals nothing to it";
        "find out who wrote the SealingKey, and delete it";
    Duplicate: SealingKey, Permanent, Key;
        "another SealingKey is about the same key; the message names it";
        "delete this one";

    Ready: Event, Notice, Secret;
        "the Secret is in place";
        "nothing";
    NotReady: Event, Notice, Object;
        "the Secret is not in place; the message begins with the reason of the condition";
        "look that reason up here";
    Healed: Event, Notice, Secret;
        "the Secret had been changed or deleted, and is what it should be again";
        "find out who changed it, and change the SealedSecret instead";
    LeftOut: Event, Notice, Object;
        "the template has labels or annotations that the Secret doesn't get";
        "remove those that the message names from the template";
    KeyAdded: Event, Notice, Key;
        "there is a sealing key that isn't on record: it was restored, or somebody added it";
        "make sure that somebody you trust added it, or that its SealingKey was deleted";
    RecipientsAdded: Event, Notice, Key;
        "Secrets are sealed, and what the controller opens is offered, to recipients that weren't there before; the message names them";
        "make sure that somebody you trust added them";
    BitnamiKeyMade: Event, Notice, Key;
        "the controller made a sealing key of sealed-secrets' kind, which has no published backup";
        "back the key up as the message says";

    KeyUnreadable: Log, Transient, Key;
        "the Secret with the name of the next sealing key is no sealing key";
        "restore it from the backup, or give it another name";

    BackupFailed: Log, Transient, Key;
        "the backup of a new sealing key can't be encrypted, so the key isn't made";
        "check `--recovery-recipients`";

    NamespaceMissing: Answer, Permanent, Object;
        "what was posted has no namespace, and its scope is tied to one";
        "post it with `metadata.namespace`";
}

impl Reason {
    /// The word itself: CamelCase, for programs.
    pub fn as_str(self) -> &'static str {
        self.facts().text
    }

    /// The place where people meet the reason.
    pub fn shown(self) -> Shown {
        self.facts().shown
    }

    /// The subject of the reason.
    pub fn about(self) -> About {
        self.facts().about
    }

    /// The meaning: a lower-case sentence without a full stop.
    pub fn meaning(self) -> &'static str {
        self.facts().meaning
    }

    /// The remedy: a lower-case sentence without a full stop; `nothing` if there is nothing to do.
    pub fn remedy(self) -> &'static str {
        self.facts().remedy
    }

    /// `true` if the reason is a failure; otherwise it names a state or an event.
    pub fn is_failure(self) -> bool {
        self.facts().kind != Kind::Notice
    }

    /// `true` if the reason is a failure that waits for somebody's change. Any other failure may pass by itself.
    pub fn is_permanent(self) -> bool {
        self.facts().kind == Kind::Permanent
    }
}
