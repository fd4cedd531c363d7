//! The controller on a real kube-apiserver, as a process under the roles it ships with.
//!
//! Where a new test goes: to the module that its subject names. Each test has namespaces and a controller of its
//! own ([`scene`]), so all run at once on one control plane. To see that something does not happen, a test waits
//! for an event that comes later ([`scene::Scene::nudge`]) and never sleeps.

mod adoption;
mod bitnami;
mod bitnami_keys;
mod bitnami_schema;
mod bodies;
mod canary;
mod conflict;
mod definitions;
mod deletion;
pub(crate) mod deploy;
mod drift;
mod evidence;
mod faults;
mod key_backup;
mod key_deletion;
mod key_states;
mod key_verbs;
mod key_writers;
mod keys;
mod kstatus;
mod labels;
mod lease;
mod lost_keys;
mod merged;
mod moving;
mod offers;
mod outage;
mod places;
mod policy;
mod process;
mod recovery;
mod renewal;
mod restart;
mod rolled_back;
mod rotation;
mod round_trip;
mod rules;
pub(crate) mod scene;
mod schema;
mod sealing;
mod statuses;
mod updates;
