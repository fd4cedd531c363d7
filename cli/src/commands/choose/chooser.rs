//! The chooser: whom each file is sealed to, by the flags, the rule for the file, or the cluster.
//!
//! Invariant: what it gives out for a file was accepted, if upstream doesn't have it; so no command can forget to ask.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use seal_crds::Scope;
use seal_crds::keys::pins::Mark;
use seal_crds::keys::{Certificate, Fingerprint, RsaPublicKey};
use seal_crds::native::{NamedRecipient, OfferPins};

use super::ruled::{Books, Ruled, RuledError};
use super::upstream::{self, Destined};
use super::{BitnamiFlags, CertificateFlag, SealerFlags};
use crate::args::intent::{self, IntentError, RecipientChoice};
use crate::args::{AcceptArgs, ClusterArgs, SealFormat};
use crate::keys::cluster::{Access, Service};
use crate::keys::recipients::Given;
use crate::keys::{certificate, recipients};
use crate::objects::sealing::bitnami::BitnamiSealer;
use crate::objects::sealing::{NativeSealer, Sealer};
use crate::rules::book::Ruling;
use crate::rules::file::To;
use crate::rules::pins::PinnedKeys;
use crate::talk::failure::Failure;
use crate::talk::terminal;

/// The first step in a repository without rules.
const FIRST_STEP: &str =
    "have the repository say whom it seals to: seal init --context CONTEXT, or seal init -r NAME=FILE";

/// The recipients for a file; the same ones are the same allocation.
pub(in crate::commands) type Chosen = Result<Arc<[NamedRecipient]>, Failure>;

/// Chooses whom to seal to, file by file: the flags, else the rule for the file, else the cluster.
///
/// One chooser serves one command, so that a rules file, a cluster and upstream are asked once.
pub(in crate::commands) struct Chooser {
    /// The arguments of `-r` as typed.
    recipients: Vec<String>,
    cluster: ClusterArgs,
    /// The keys that somebody accepted, although upstream doesn't seal to them.
    accepted: BTreeSet<Fingerprint>,
    books: Books,
    /// The recipients of `-r`.
    given: Option<Arc<[NamedRecipient]>>,
    /// The keys that the files of `-r` mark as retiring.
    given_retiring: BTreeSet<Fingerprint>,
    /// The recipients of the cluster.
    fetched: Option<Arc<[NamedRecipient]>>,
    /// The rules that a note or warning was printed about.
    told: BTreeSet<String>,
}

impl Chooser {
    pub(in crate::commands) fn new(
        recipients: Vec<String>,
        cluster: ClusterArgs,
        accept: AcceptArgs,
    ) -> Self {
        Self {
            recipients,
            cluster,
            accepted: accept.accept.into_iter().collect(),
            books: Books::default(),
            given: None,
            given_retiring: BTreeSet::new(),
            fetched: None,
            told: BTreeSet::new(),
        }
    }

    /// The rule for a file, which needn't be there yet; `None` stands for a result without a path.
    ///
    /// # Errors
    ///
    /// The rules around the file aren't understood.
    pub(in crate::commands) fn ruled(&mut self, file: Option<&Path>) -> Result<Ruled, Failure> {
        self.books.ruled(file)
    }

    /// Takes the last argument of `-r` out. Where nothing is native, it is the certificate.
    pub(in crate::commands) fn take_recipient(&mut self) -> Option<String> {
        self.recipients.pop()
    }

    /// The recipients for each file, in the native format, or the reason why nothing may be sealed into that file.
    ///
    /// # Errors
    ///
    /// The recipients of flags or of the cluster can't be used, or upstream doesn't seal to a key and nobody accepts it.
    pub(in crate::commands) fn recipients(&mut self, files: &[&Ruled]) -> Result<Vec<Chosen>, Failure> {
        let mut chosen = self.pinned(files)?;
        for (file, chosen) in files.iter().zip(&mut chosen) {
            match (&file.ruling, &chosen) {
                (_, None) => *chosen = Some(Ok(self.fetched(file)?)),
                (Some(ruling), Some(Ok(_))) if self.recipients.is_empty() => {
                    self.note(ruling, &ruling.names_with_recipients());
                }
                _ => {}
            }
        }
        self.accept(files, &chosen)?;
        Ok(chosen.into_iter().map(|chosen| chosen.expect("the cluster has the others")).collect())
    }

    /// As [`Self::recipients`], but without a cluster: `None` for a file that neither flags nor rules have recipients for.
    pub(in crate::commands) fn accepted_pins(
        &mut self,
        files: &[&Ruled],
    ) -> Result<Vec<Option<Chosen>>, Failure> {
        let chosen = self.pinned(files)?;
        self.accept(files, &chosen)?;
        Ok(chosen)
    }

    /// As [`Self::accepted_pins`], for a command that seals nothing, so that nobody has to accept a key.
    pub(in crate::commands) fn pinned(&mut self, files: &[&Ruled]) -> Result<Vec<Option<Chosen>>, Failure> {
        let mut by_rule: HashMap<String, Arc<[NamedRecipient]>> = HashMap::new();
        let mut chosen = Vec::new();
        for file in files {
            chosen.push(match (&file.ruling, self.recipients.is_empty()) {
                (_, false) => Some(Ok(self.given(file)?)),
                (None, true) => None,
                (Some(ruling), true) => Some(match by_rule.get(&ruling.location()) {
                    Some(known) => Ok(Arc::clone(known)),
                    None => by_rule_of(file, ruling).map(|recipients| {
                        let recipients: Arc<[NamedRecipient]> = recipients.into();
                        by_rule.insert(ruling.location(), Arc::clone(&recipients));
                        recipients
                    }),
                }),
            });
        }
        Ok(chosen)
    }

    /// As [`Self::pinned`], in the form that offers are held against.
    pub(in crate::commands) fn offer_pins(&self, file: &Ruled, chosen: &[NamedRecipient]) -> OfferPins {
        let retiring = match &file.ruling {
            Some(ruling) if self.recipients.is_empty() => retiring(&ruling.given()),
            _ => self.given_retiring.clone(),
        };
        let is_optional = |named: &NamedRecipient| retiring.contains(&named.recipient.fingerprint());
        let (optional, required) = chosen.iter().cloned().partition(is_optional);
        OfferPins { required, optional }
    }

    /// Has somebody accept the keys of rules that upstream doesn't seal to.
    fn accept(&mut self, files: &[&Ruled], chosen: &[Option<Chosen>]) -> Result<(), Failure> {
        if !self.recipients.is_empty() {
            return Ok(());
        }
        let destined = files.iter().zip(chosen).filter_map(|(file, chosen)| {
            let (Some(_), Some(Ok(recipients))) = (&file.ruling, chosen) else { return None };
            Some(Destined { ruled: file, keys: keys(recipients) })
        });
        upstream::check(&destined.collect::<Vec<_>>(), &mut self.accepted, intent::is_watched())
    }

    /// The recipients of `-r`. Warns if a rule says otherwise.
    fn given(&mut self, file: &Ruled) -> Result<Arc<[NamedRecipient]>, Failure> {
        let given = match &self.given {
            Some(given) => Arc::clone(given),
            None => {
                let given = recipients::load(&self.recipients)?;
                self.given_retiring = retiring(&given);
                Arc::clone(self.given.insert(given.into_usable()?.into()))
            }
        };
        let by_rule = file.ruling.as_ref().map(|ruling| keys(&ruling.given().recipients));
        self.goes_over(file, "-r", keys(&given), by_rule);
        Ok(given)
    }

    /// Warns of a flag that goes over the rule for a file, once for each rule.
    fn goes_over(
        &mut self,
        file: &Ruled,
        flag: &str,
        by_flag: BTreeSet<Fingerprint>,
        by_rule: Option<BTreeSet<Fingerprint>>,
    ) {
        let (Some(ruling), Some(by_rule)) = (&file.ruling, by_rule) else { return };
        let location = ruling.location();
        if by_flag != by_rule && self.told.insert(location.clone()) {
            let says = match ruling.rule().to {
                To::Nobody => "forbids to seal there".to_owned(),
                To::Recipients(_) => format!("seals to {}", ruling.names().join(", ")),
            };
            terminal::warn(&format!("{flag} goes over {location}, which {says}"), None);
        }
    }

    /// Says once which rule is sealed by.
    fn note(&mut self, ruling: &Ruling, names: &[&str]) {
        let rule = ruling.location();
        if !self.told.insert(rule.clone()) {
            return;
        }
        terminal::note(&format!("sealing to {}, as {rule} says", names.join(", ")));
        if self.cluster.context.is_some() {
            terminal::warn(&format!("--context isn't used: {rule} says whom to seal to"), None);
        }
    }

    /// The recipients of the cluster, for a file that no rule is for.
    fn fetched(&mut self, file: &Ruled) -> Result<Arc<[NamedRecipient]>, Failure> {
        if file.site.is_none() && self.cluster.context.is_none() {
            self.books.check_no_rules_here()?;
        }
        if let Some(rules) = &file.rules
            && self.told.insert(rules.clone())
        {
            terminal::warn(&format!("no rule of {rules} is for {}", file.file()), None);
        }
        if let Some(fetched) = &self.fetched {
            return Ok(Arc::clone(fetched));
        }
        let is_named = self.cluster.context.is_some();
        let fetched = RecipientChoice::new(Vec::new(), self.cluster.clone(), intent::is_watched())
            .map_err(Failure::from)
            .and_then(|choice| recipients::resolve(&choice));
        let fetched = fetched.map_err(|failure| match &file.rules {
            // Whoever has neither rules nor a cluster in mind is at the beginning.
            None if !is_named => failure.or_try(FIRST_STEP),
            _ => failure,
        })?;
        Ok(Arc::clone(self.fetched.insert(fetched.into())))
    }

    /// The certificate of the rule for a file, in the format of bitnami.com; `None` if there is no rule.
    fn certificate(&mut self, file: &Ruled) -> Result<Option<Certificate>, Failure> {
        let Some(ruling) = &file.ruling else { return Ok(None) };
        let (name, rule) = (file.file().to_owned(), ruling.location());
        if ruling.rule().to == To::Nobody {
            return Err(RuledError::Nobody { file: name, rule }.into());
        }
        let certificates = ruling.certificates();
        let [(recipient, pin)] = certificates[..] else {
            return Err(match certificates.len() {
                0 => RuledError::NoCertificate { file: name, rule },
                count => RuledError::SeveralCertificates { count, rule },
            }
            .into());
        };
        let PinnedKeys::Certificate { pem, fingerprint } = &pin.keys else {
            unreachable!("only certificates are listed");
        };
        let certificate = certificate::for_sealing(pem, &pin.path)?;
        let destined = Destined { ruled: file, keys: [*fingerprint].into() };
        upstream::check(&[destined], &mut self.accepted, intent::is_watched())?;
        self.note(ruling, &[recipient]);
        Ok(Some(certificate))
    }

    /// The sealers of the chosen format for each file, with the scope of each. A certificate hasn't expired.
    pub(in crate::commands) fn sealers(
        &mut self,
        flags: &SealerFlags,
        files: &[(&Ruled, Scope)],
    ) -> Result<Vec<Sealer>, Failure> {
        let ruled: Vec<&Ruled> = files.iter().map(|(ruled, _)| *ruled).collect();
        match flags.format {
            SealFormat::Native => {
                let recipients = self.recipients(&ruled)?;
                let sealer = |((_, scope), recipients): (&(&Ruled, Scope), Chosen)| {
                    let template_items = flags.template_items.iter().cloned().collect();
                    let recipients = recipients?.to_vec();
                    Ok(Sealer::Native(NativeSealer { recipients, scope: *scope, template_items }))
                };
                files.iter().zip(recipients).map(sealer).collect()
            }
            SealFormat::Bitnami => {
                let keys = self.bitnami_keys(&flags.bitnami, &ruled)?;
                let sealer = |((_, scope), key): (&(&Ruled, Scope), RsaPublicKey)| {
                    Sealer::Bitnami(BitnamiSealer { key, scope: *scope })
                };
                Ok(files.iter().zip(keys).map(sealer).collect())
            }
        }
    }

    /// The key of the certificate for each file, in the format of bitnami.com.
    ///
    /// # Errors
    ///
    /// As [`Self::recipients`], for any of the files.
    pub(in crate::commands) fn bitnami_keys(
        &mut self,
        flags: &BitnamiFlags,
        files: &[&Ruled],
    ) -> Result<Vec<RsaPublicKey>, Failure> {
        let mut for_all = None;
        files.iter().map(|file| self.bitnami_key(flags, file, &mut for_all)).collect()
    }

    /// The key of the certificate for a file: that of the flags, else the rule's, else the cluster's. That of flags and
    /// cluster is the same for all files.
    fn bitnami_key(
        &mut self,
        flags: &BitnamiFlags,
        file: &Ruled,
        for_all: &mut Option<RsaPublicKey>,
    ) -> Result<RsaPublicKey, Failure> {
        let given = flags.certificate.as_ref();
        if given.is_none()
            && let Some(certificate) = self.certificate(file)?
        {
            return Ok(certificate.public_key().clone());
        }
        let key = match (&*for_all, given) {
            (Some(known), _) => known.clone(),
            (None, Some(CertificateFlag { location, .. })) => {
                let certificate = certificate::for_sealing(&certificate::load(location)?, location)?;
                for_all.insert(certificate.public_key().clone()).clone()
            }
            (None, None) => {
                let certificate = from_cluster(&self.cluster, flags.controller_name.clone())?;
                for_all.insert(certificate.public_key().clone()).clone()
            }
        };
        if let Some(CertificateFlag { flag, .. }) = given {
            let certificates = |ruling: &Ruling| {
                ruling.certificates().iter().flat_map(|(_, pin)| pin.keys()).map(|(key, _)| key).collect()
            };
            self.goes_over(file, flag, [key.fingerprint()].into(), file.ruling.as_ref().map(certificates));
        }
        Ok(key)
    }
}

fn keys(recipients: &[NamedRecipient]) -> BTreeSet<Fingerprint> {
    recipients.iter().map(|named| named.recipient.fingerprint()).collect()
}

/// The keys that are marked as retiring and have a successor. One that a fetch wrote as the key to seal to has none, though
/// it may have a mark from the time before it was restored.
fn retiring(given: &Given) -> BTreeSet<Fingerprint> {
    let retiring = given.pins.marks().filter(|(_, marked)| marked.mark == Mark::Retiring);
    retiring.map(|(key, _)| *key).filter(|key| !given.sealing_keys.contains(key)).collect()
}

/// The recipients of a rule.
fn by_rule_of(file: &Ruled, ruling: &Ruling) -> Result<Vec<NamedRecipient>, Failure> {
    let (name, rule) = (file.file().to_owned(), ruling.location());
    if ruling.rule().to == To::Nobody {
        return Err(RuledError::Nobody { file: name, rule }.into());
    }
    let given = ruling.given();
    if given.recipients.is_empty() {
        return Err(RuledError::NoRecipient { file: name, rule }.into());
    }
    given.into_usable()
}

/// The certificate that a cluster's controller gives out.
///
/// # Errors
///
/// [`IntentError::UnnamedController`], if no flag names the cluster and no person is there to see which one
/// it is; and every error of asking it.
fn from_cluster(args: &ClusterArgs, name: Option<String>) -> Result<Certificate, Failure> {
    if args.context.is_none() && !intent::is_watched() {
        return Err(IntentError::UnnamedController.into());
    }
    let default = Service::default();
    let service = Service {
        namespace: args.controller_namespace.as_ref().map_or(default.namespace, ToString::to_string),
        name: name.unwrap_or(default.name),
    };
    let access = Access::from(args);
    let context = match &args.context {
        Some(context) => context.clone(),
        None => access.read()?.current_context.unwrap_or_default(),
    };
    let from = format!("context {context}, Service {}/{}", service.namespace, service.name);
    let certificate = certificate::for_sealing(&certificate::fetch(access, &service)?, &from)?;
    terminal::note(&format!("sealing to {from}: {}", certificate.public_key().fingerprint().short()));
    Ok(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_crds::keys::Identity;

    #[test]
    fn a_restored_key_that_is_sealed_to_again_is_required_whatever_its_mark() {
        let directory = tempfile::tempdir().unwrap();
        let (key, recovery) = (Identity::generate(), Identity::generate());
        let (key, recovery) = (key.recipient(), recovery.recipient());
        let mark = format!("# retiring: {} 2026-11-27 sealing-key-first\n", key.fingerprint());
        let fetched = format!(
            "# name: k\n# created: 2026-01-02T03:04:05Z\n# fingerprint: {}\n{key}\n{recovery}\n{mark}",
            key.fingerprint()
        );
        for (text, expected) in [
            (fetched, BTreeSet::new()),
            (format!("{key}\n{recovery}\n{mark}"), BTreeSet::from([key.fingerprint()])),
        ] {
            let file = directory.path().join("prod.pub");
            std::fs::write(&file, text).unwrap();
            let given = recipients::load(&[file.to_str().unwrap().to_owned()]).unwrap();
            assert_eq!(retiring(&given), expected);
        }
    }
}
