//! A model of a cluster with few objects, in which everything happens in random order: objects and Secrets change, the
//! watches deliver late and take lists anew, looks take their time, and the cache of Secrets is ahead of what is told of it.
//!
//! Invariant: a model in which nothing changes any more comes to rest, and then every object was looked at as it is.

use std::collections::VecDeque;

use seal_random::{Random, rounds};

use super::*;

#[test]
fn in_the_end_every_object_was_looked_at_as_it_is_now_whatever_came_in_which_order() {
    // 1926 found a Secret that came and went.
    for seed in (0..rounds() as u64 / 5).chain([1926]) {
        Model::new(seed).run();
    }
}

/// An object's generation, and the one that its status speaks of; `None` if there is no object.
type Spec = Option<(i64, i64)>;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What there is of one name: the object's generation and its status' one, and the version of the Secret.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct State {
    object: Spec,
    secret: Option<u64>,
}

struct Model {
    random: Random,
    scene: Scene,
    /// The cluster as it is, and the number of its last change.
    real: [State; 4],
    version: u64,
    /// What the watches of objects and of Secrets have still to deliver.
    objects: VecDeque<(usize, Spec, u64)>,
    secrets: VecDeque<(usize, Option<u64>)>,
    told: VecDeque<usize>,
    /// The looks under way, and what each sees.
    looks: Vec<(Turn, usize, Spec)>,
    /// The generation that each object was looked at in, with the Secret that was in sync then.
    looked: [Option<(i64, Option<u64>)>; 4],
}

impl Model {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            scene: Scene::new(),
            real: [State::default(); 4],
            version: 10,
            objects: VecDeque::new(),
            secrets: VecDeque::new(),
            told: VecDeque::new(),
            looks: Vec::new(),
            looked: [None; 4],
        }
    }

    fn pick(&mut self, of: usize) -> usize {
        self.random.below(of)
    }

    fn run(mut self) {
        for _ in 0..400 {
            let step = self.pick(9);
            self.step(step);
        }
        // Nothing changes any more, and everything is delivered.
        for _ in 0..2_000 {
            (3..9).filter(|step| *step != 5).for_each(|step| self.step(step));
        }
        assert!(
            self.objects.is_empty()
                && self.secrets.is_empty()
                && self.told.is_empty()
                && self.looks.is_empty()
        );
        for (n, real) in self.real.iter().enumerate() {
            if let Some((generation, _)) = real.object {
                assert_eq!(self.looked[n], Some((generation, real.secret)), "{} {real:?}", NAMES[n]);
            }
        }
        assert_eq!(self.scene.objects.room(Format::Native).used(), 0);
    }

    fn step(&mut self, step: usize) {
        let n = self.pick(NAMES.len());
        self.version += 1;
        match step {
            // Somebody changes the spec.
            0 => {
                let (generation, observed) = self.real[n].object.unwrap_or((self.version as i64, -1));
                self.put_object(n, Some((generation + 1, observed)));
            }
            // Somebody deletes the object, or the Secret.
            1 if self.pick(3) == 0 => self.put_object(n, None),
            1 => self.put_secret(n, None),
            // Somebody changes the Secret.
            2 if self.real[n].secret.is_some() => self.put_secret(n, Some(self.version)),
            // The watches deliver, and the caches tell.
            3 => {
                if let Some((n, object, version)) = self.objects.pop_front() {
                    let found = |(generation, observed)| Self::object(n, generation, observed, version);
                    self.scene.take_in(match object {
                        Some(object) => Event::Apply(found(object)),
                        None => Event::Delete(found((0, -1))),
                    });
                }
            }
            4 => {
                if let Some((n, version)) = self.secrets.pop_front() {
                    self.scene.secrets.remove(&key(NAMES[n]));
                    self.scene.secrets.extend(version.map(|version| (key(NAMES[n]), secret(version))));
                    self.told.push_back(n);
                }
            }
            // The list of objects is taken anew.
            5 if self.pick(10) == 0 => {
                self.objects.clear();
                self.scene.take_in(Event::Init);
                for (n, state) in self.real.into_iter().enumerate() {
                    if let Some((generation, observed)) = state.object {
                        self.scene.take_in(Event::InitApply(Self::object(
                            n,
                            generation,
                            observed,
                            self.version,
                        )));
                    }
                }
                self.scene.take_in(Event::InitDone);
            }
            6 => {
                if let Some(n) = self.told.pop_front() {
                    let secrets = &self.scene.secrets;
                    self.scene.objects.touch(&key(NAMES[n]), |key| secrets.get(key).copied());
                }
            }
            7 => {
                if let Some(turn) = self.scene.begin() {
                    let n = NAMES.iter().position(|name| **name == *turn.key.name).unwrap();
                    let seen = match &turn.object {
                        Some(kept) => {
                            let status =
                                kept.object.status.as_ref().map_or(-1, |status| status.observed_generation);
                            Some((kept.object.metadata.generation.unwrap(), status))
                        }
                        // It is read; a newer one than arrived is left to its arrival.
                        None => self.real[n].object.filter(|(generation, observed)| {
                            Mark::of_spec(&Self::object(n, *generation, *observed, 0).metadata) == turn.spec
                        }),
                    };
                    self.looks.push((turn, n, seen));
                }
            }
            8 if !self.looks.is_empty() => {
                let which = self.pick(self.looks.len());
                let (turn, n, seen) = self.looks.swap_remove(which);
                self.look(&turn, n, seen);
            }
            _ => {}
        }
    }

    /// Ends a look: it writes the Secret unless the cache has the one of its own generation, and then the status, unless
    /// the object has changed meanwhile.
    fn look(&mut self, turn: &Turn, n: usize, seen: Spec) {
        let Some((generation, observed)) = seen else { return self.scene.end(turn, None, Next::OnChange) };
        let cached = self.scene.secrets.get(&key(NAMES[n])).copied();
        let right = self.looked[n].filter(|(of, _)| *of == generation).and_then(|(_, version)| version);
        let (mut wrote, mut is_known) = (None, true);
        if right.is_none() || right.map(secret) != cached {
            // Before it writes, it looks at the Secret itself: the cache may be behind.
            is_known = right.is_none() || right != self.real[n].secret;
            if is_known {
                self.put_secret(n, Some(self.version));
                wrote = Some(self.version);
                self.looked[n] = Some((generation, wrote));
            }
        }
        let mut left = Self::object(n, generation, observed, self.version);
        if observed != generation {
            if self.real[n].object != seen {
                // It came too late.
                return self.scene.end(turn, None, Next::After(Duration::from_secs(1)));
            }
            self.put_object(n, Some((generation, generation)));
            left = Self::object(n, generation, generation, self.version);
        }
        self.scene.end(turn, is_known.then_some((&left, wrote)), Next::OnChange);
    }

    fn object(n: usize, generation: i64, observed: i64, version: u64) -> Object {
        object(NAMES[n], generation, version, if observed < 0 { Value::Null } else { ready(observed) })
    }

    fn put_object(&mut self, n: usize, object: Spec) {
        self.real[n].object = object;
        self.objects.push_back((n, object, self.version));
    }

    fn put_secret(&mut self, n: usize, secret: Option<u64>) {
        self.real[n].secret = secret;
        self.secrets.push_back((n, secret));
    }
}
