//! A control plane that contenders take turns on, with the objects that they find there.
//!
//! Not the questions. Invariant: only one controller runs at a time, and each finds objects that nobody has touched,
//! or that have come to rest, as the question says, on a control plane that has come to rest.

pub(crate) mod audit;
pub(crate) mod bare;
pub(crate) mod contender;
pub(crate) mod objects;
pub(crate) mod probe;
pub(crate) mod requests;
pub(crate) mod watch;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use seal_crds::format::Format;
use seal_crds::keys::Certificate;
use seal_crds::native::NamedRecipient;
use seal_tests::api::Api;
use seal_tests::control_plane::{ControlPlane, definitions};
use seal_tests::wait::eventually;
use serde_json::{Value, json};

use crate::programs::Programs;
use bare::Example;
use contender::{Limit, Running, Who};
use objects::{Objects, collection};
use watch::Watch;

/// The namespaces of the objects: several, as in a real cluster.
pub(crate) const NAMESPACES: usize = 8;
/// The namespace of our controller and of its keys.
const OWN: &str = "seal-system";
/// The namespace of sealed-secrets' keys, for both.
const PEER_KEYS: &str = "sealed-secrets";
const CERTIFICATE: &str = include_str!("../../crds/src/keys/testdata/rsa-4096.crt");
const PRIVATE: &str = include_str!("../../crds/src/keys/testdata/rsa-4096.pem");
/// How long a contender may take for a question before it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// What the objects are sealed to.
pub(crate) struct Recipients {
    pub(crate) native: NamedRecipient,
    pub(crate) bitnami: Certificate,
}

/// The objects on the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Empty,
    /// Nobody has looked at them.
    Fresh(Format, usize),
    /// Each has its Secret and its status.
    Synced(Format, usize),
    /// Not as any question wants them.
    Touched,
}

/// The control plane and what is on it.
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    programs: Programs,
    /// Our controller's, with the roles as they ship.
    pub(crate) kubeconfig: PathBuf,
    pub(crate) recipients: Recipients,
    standing: Standing,
    examples: Vec<(Format, Example)>,
}

impl Cluster {
    /// # Panics
    /// When the control plane or one of the controllers doesn't start.
    pub(crate) fn start(programs: Programs) -> Self {
        let plane = ControlPlane::start(&definitions()).unwrap_or_else(|why| panic!("{why}"));
        requests::connect(plane.kubeconfig());
        plane.deploy();
        let kubeconfig = plane.service_account(OWN, "seal-controller");
        let names = (0..NAMESPACES).map(namespace).chain([PEER_KEYS.to_owned(), probe::NAMESPACE.to_owned()]);
        for name in names {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            plane.api().create("/api/v1/namespaces", &namespace).expect("the namespace is new");
        }
        let bitnami = Certificate::from_pem(CERTIFICATE).expect("it is a certificate");
        let key = objects::bitnami_key(PEER_KEYS, CERTIFICATE, PRIVATE);
        plane.api().create(&format!("/api/v1/namespaces/{PEER_KEYS}/secrets"), &key).expect("the key is new");

        // The first start makes the native key.
        let contender = contender::start(&plane, &programs, &kubeconfig, Who::Seal);
        let native = primary(plane.api());
        drop(contender);
        let recipients = Recipients { native, bitnami };
        let mut cluster =
            Self { plane, programs, kubeconfig, recipients, standing: Standing::Empty, examples: Vec::new() };
        cluster.examples =
            [Format::Native, Format::Bitnami].map(|format| (format, cluster.example(format))).into();
        cluster
    }

    pub(crate) fn api(&self) -> &Api {
        self.plane.api()
    }

    /// Starts a controller. It ends when the value is dropped.
    pub(crate) fn run(&self, who: Who) -> Running {
        // A Lease of the controller before would have to expire first. That is a question of its own.
        let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{OWN}/leases");
        self.api().delete(&leases).expect("leases can be deleted");
        contender::start(&self.plane, &self.programs, &self.kubeconfig, who)
    }

    /// Makes so many objects that nobody has looked at, and none beside them.
    pub(crate) fn fresh(&mut self, format: Format, count: usize) {
        if self.standing == Standing::Fresh(format, count) {
            return;
        }
        self.clear();
        Objects::seal(&self.recipients, format, count, 1).create();
        self.settle();
        self.standing = Standing::Fresh(format, count);
    }

    /// Waits until the control plane is at rest. After thousands of objects came and went it works on for a while, and
    /// that would be counted to whoever comes next.
    fn settle(&self) {
        /// Of a second: what an API server at rest takes, and some more.
        const REST: Duration = Duration::from_millis(150);
        let deadline = Instant::now() + PATIENCE;
        let mut last = self.plane.cpu();
        loop {
            thread::sleep(Duration::from_secs(1));
            let now = self.plane.cpu();
            if now.saturating_sub(last) < REST {
                return;
            }
            last = now;
            assert!(Instant::now() < deadline, "the control plane doesn't come to rest");
        }
    }

    /// Makes so many objects that each have their Secret and their status, and none beside them.
    pub(crate) fn synced(&mut self, format: Format, count: usize) {
        if self.standing == Standing::Synced(format, count) {
            return;
        }
        self.fresh(format, count);
        let watch = Watch::objects(format);
        let running = self.run(Who::Seal);
        watch.until_synced(count, 1);
        running.until_quiet();
        self.are_synced(format, count);
    }

    /// Makes so many objects that the peer has brought into sync.
    pub(crate) fn synced_by_the_peer(&mut self, count: usize) {
        self.fresh(Format::Bitnami, count);
        let watch = Watch::objects(Format::Bitnami);
        let running = self.run(Who::Peer(Limit::Off));
        watch.until_synced(count, 1);
        running.until_quiet();
        self.are_touched();
    }

    /// Notes that somebody has brought all objects into sync.
    pub(crate) fn are_synced(&mut self, format: Format, count: usize) {
        self.standing = Standing::Synced(format, count);
    }

    /// Notes that the objects are of no use to the next question.
    pub(crate) fn are_touched(&mut self) {
        self.standing = Standing::Touched;
    }

    /// Removes all objects and Secrets.
    pub(crate) fn clear(&mut self) {
        if self.standing == Standing::Empty {
            return;
        }
        let names = || (0..NAMESPACES).map(namespace).chain([probe::NAMESPACE.to_owned()]);
        let secrets = names().map(|name| format!("/api/v1/namespaces/{name}/secrets"));
        let sealed =
            names().flat_map(|name| [Format::Native, Format::Bitnami].map(|it| collection(it, &name)));
        let events = names().map(|name| format!("/api/v1/namespaces/{name}/events"));
        // Secrets first: with their owners gone, the garbage collector would look at each.
        for paths in [secrets.collect::<Vec<_>>(), sealed.chain(events).collect()] {
            requests::send_all(paths.iter().map(|path| requests::delete(path)), NAMESPACES);
        }
        self.standing = Standing::Empty;
    }

    /// What our controller writes for an object of this format.
    pub(crate) fn written(&self, format: Format) -> &Example {
        &self.examples.iter().find(|(it, _)| *it == format).expect("both were made at the start").1
    }

    fn example(&mut self, format: Format) -> Example {
        self.synced(format, 1);
        let (namespace, name) = (namespace(0), objects::name(0));
        let get = |path: &str| self.api().get(path).expect("it is in sync");
        let sealed = get(&format!("{}/{name}", collection(format, &namespace)));
        let example = Example::new(get(&format!("/api/v1/namespaces/{namespace}/secrets/{name}")), &sealed);
        self.clear();
        example
    }
}

/// A namespace of the objects.
pub(crate) fn namespace(index: usize) -> String {
    format!("bench-{}", index % NAMESPACES)
}

/// The recipient that our controller says is the primary.
fn primary(api: &Api) -> NamedRecipient {
    let path = format!("/apis/sealing.dev/v1alpha1/namespaces/{OWN}/sealingkeys");
    let recipient = eventually("there is a primary key", || {
        let keys = api.get(&path).unwrap_or_default();
        let is_primary = |key: &&Value| {
            let mut conditions = key["status"]["conditions"].as_array().into_iter().flatten();
            conditions.any(|it| it["type"] == "Primary" && it["status"] == "True")
        };
        let key = keys["items"].as_array().into_iter().flatten().find(is_primary);
        key.and_then(|key| Some(key["spec"]["recipient"].as_str()?.to_owned())).ok_or(keys)
    });
    NamedRecipient { recipient: recipient.parse().expect("the controller publishes recipients"), name: None }
}
