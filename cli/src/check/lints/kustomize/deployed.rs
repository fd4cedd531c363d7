//! Directories that Flux and Argo CD deploy, by their objects in this repository, and the changes of places that these
//! objects order.
//!
//! Such an object names a repository by a URL or by the name of a source. Nothing here knows the URLs of this
//! repository, so an object counts only if it can mean no other: the source is `flux-system`, where `flux bootstrap`
//! keeps the repository of the object itself, or all objects of that tool name one and the same. Invariant: all others
//! are counted, and no guess is made.

use std::collections::BTreeSet;

use seal_documents::manifest::{Manifest, Object};
use seal_documents::yaml::tree::{NodeId, Tree};

use super::kustomization::items;
use super::paths::join;

/// The API groups of the objects that are read.
const FLUX: &str = "kustomize.toolkit.fluxcd.io";
const ARGO: &str = "argoproj.io";

/// The source that `flux bootstrap` makes: the repository that the object itself stands in.
const BOOTSTRAPPED: &str = "flux-system";

/// A field of a deployment, with the line that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    /// `file:line`.
    pub(super) by: String,
}

/// A directory that a tool deploys.
#[derive(Clone, Debug, Default)]
pub(super) struct Deployed {
    pub(super) directory: String,
    /// `file:line` of the object.
    pub(super) by: String,
    /// These take the place of the kustomization's own fields, as both tools do it.
    pub(super) namespace: Option<Said>,
    pub(super) prefix: Option<Said>,
    pub(super) suffix: Option<Said>,
    /// The namespace of objects that have none.
    pub(super) default_namespace: Option<Said>,
    /// Directories of components, relative to the top of the repository.
    pub(super) components: Vec<String>,
    /// Without a kustomization, files in deeper directories are deployed too.
    pub(super) is_deep: bool,
    /// `false` if the object has options that may change places and aren't followed.
    pub(super) is_certain: bool,
}

/// An object of Flux or Argo CD that deploys a directory, before it is known which repository it means.
#[derive(Debug)]
struct Candidate {
    tool: Tool,
    /// The name of the source, or the URL of the repository.
    source: String,
    deployed: Deployed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Flux,
    Argo,
}

/// The deployments that objects of Flux and Argo CD order.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    found: Vec<Candidate>,
    /// `file:line` of objects that can't be followed.
    unfollowed: Vec<String>,
}

impl Candidates {
    /// Adds those of a manifest.
    pub(super) fn add_all(&mut self, path: &str, manifest: &Manifest<'_>) {
        let text = manifest.source.text();
        // Nearly no file has one.
        if text.contains(FLUX) || text.contains(ARGO) {
            manifest.objects.iter().for_each(|object| self.add(path, manifest, object));
        }
    }

    /// Adds an object of a manifest, if it deploys something.
    fn add(&mut self, path: &str, manifest: &Manifest<'_>, object: &Object) {
        let reader = Reader { path, manifest, tree: manifest.tree(object) };
        let text = |key: &str| reader.text(object.node, &[key]).unwrap_or_default();
        let group = text("apiVersion").split('/').next().unwrap_or_default();
        match (group, text("kind")) {
            (FLUX, "Kustomization") => match reader.flux(object.node) {
                Some(candidate) => self.found.push(candidate),
                None => self.unfollowed.push(reader.line(object.node)),
            },
            (ARGO, "Application") => {
                let Some(spec) = reader.tree.get(object.node, "spec") else { return };
                let single = reader.tree.get(spec, "source");
                let several = reader.tree.get(spec, "sources").map(|sources| items(reader.tree, sources));
                for source in single.iter().chain(several.unwrap_or_default()) {
                    match reader.argo(object.node, *source) {
                        Some(candidate) => self.found.push(candidate),
                        None => self.unfollowed.push(reader.line(*source)),
                    }
                }
            }
            (ARGO, "ApplicationSet") => self.unfollowed.push(reader.line(object.node)),
            _ => {}
        }
    }

    /// The directories of this repository among them, and the lines of objects that may mean another repository.
    pub(super) fn settle(self) -> (Vec<Deployed>, Vec<String>) {
        let sources = |tool: Tool| -> BTreeSet<&str> {
            self.found.iter().filter(|found| found.tool == tool).map(|found| found.source.as_str()).collect()
        };
        let (flux, argo) = (sources(Tool::Flux).len() == 1, sources(Tool::Argo).len() == 1);
        let is_here = |found: &Candidate| match found.tool {
            Tool::Flux => flux || found.source == BOOTSTRAPPED,
            Tool::Argo => argo,
        };
        let (here, elsewhere): (Vec<_>, Vec<_>) = self.found.iter().partition(|found| is_here(found));
        let unfollowed = elsewhere.into_iter().map(|found| found.deployed.by.clone());
        let unfollowed = self.unfollowed.iter().cloned().chain(unfollowed).collect();
        (here.into_iter().map(|found| found.deployed.clone()).collect(), unfollowed)
    }
}

struct Reader<'t, 'a> {
    path: &'t str,
    manifest: &'t Manifest<'a>,
    tree: &'t Tree<'a>,
}

impl<'t> Reader<'t, '_> {
    /// A Kustomization of Flux; `None` if it can't be followed.
    fn flux(&self, object: NodeId) -> Option<Candidate> {
        let spec = self.tree.get(object, "spec")?;
        let source = self.tree.get(spec, "sourceRef")?;
        if self.text(source, &["kind"])? != "GitRepository" {
            return None;
        }
        let directory = self.directory(self.text(spec, &["path"]).unwrap_or("./"))?;
        let components =
            self.tree.get(spec, "components").map(|list| items(self.tree, list)).unwrap_or_default();
        let components = components.iter().map(|entry| join(&directory, self.tree.scalar(*entry)?));
        let deployed = Deployed {
            namespace: self.said(spec, &["targetNamespace"]),
            prefix: self.said(spec, &["namePrefix"]),
            suffix: self.said(spec, &["nameSuffix"]),
            default_namespace: None,
            components: components.collect::<Option<_>>()?,
            is_deep: true,
            is_certain: !self.has_patches(spec),
            by: self.line(object),
            directory,
        };
        Some(Candidate { tool: Tool::Flux, source: self.text(source, &["name"])?.to_owned(), deployed })
    }

    /// A source of an Application of Argo CD; `None` if it can't be followed.
    fn argo(&self, object: NodeId, source: NodeId) -> Option<Candidate> {
        let is_foreign = ["chart", "helm", "plugin"].iter().any(|key| self.tree.get(source, key).is_some());
        let directory_options = self.tree.get(source, "directory");
        let option = |key: &str| directory_options.and_then(|options| self.text(options, &[key]));
        if is_foreign || ["include", "exclude", "jsonnet"].iter().any(|key| option(key).is_some()) {
            return None;
        }
        let kustomize = self.tree.get(source, "kustomize");
        let said = |key: &str| kustomize.and_then(|kustomize| self.said(kustomize, &[key]));
        let directory = self.directory(self.text(source, &["path"])?)?;
        let listed = kustomize.and_then(|kustomize| self.tree.get(kustomize, "components"));
        let components = listed.map(|list| items(self.tree, list)).unwrap_or_default();
        let components = components.iter().map(|entry| join(&directory, self.tree.scalar(*entry)?));
        let deployed = Deployed {
            namespace: said("namespace"),
            prefix: said("namePrefix"),
            suffix: said("nameSuffix"),
            default_namespace: self.said(object, &["spec", "destination", "namespace"]),
            components: components.collect::<Option<_>>()?,
            is_deep: option("recurse") == Some("true"),
            is_certain: kustomize.is_none_or(|kustomize| !self.has_patches(kustomize)),
            by: self.line(object),
            directory,
        };
        Some(Candidate { tool: Tool::Argo, source: self.text(source, &["repoURL"])?.to_owned(), deployed })
    }

    /// Whether there are patches that may be about a SealedSecret's place.
    fn has_patches(&self, node: NodeId) -> bool {
        let patches = self.tree.get(node, "patches").map(|patches| items(self.tree, patches));
        patches.unwrap_or_default().iter().any(|patch| {
            let kind = self.text(*patch, &["target", "kind"]);
            kind.is_none_or(|kind| {
                kind.is_empty() || kind.contains("Sealed") || kind.contains(['*', '.', '|'])
            })
        })
    }

    /// A path from the top of the repository; `None` if it is a placeholder or leads out.
    fn directory(&self, path: &str) -> Option<String> {
        let is_placeholder = path.contains("${") || path.contains("{{");
        if is_placeholder { None } else { join("", path) }
    }

    fn said(&self, node: NodeId, path: &[&str]) -> Option<Said> {
        let value = self.find(node, path)?;
        let text = self.tree.scalar(value).filter(|text| !text.is_empty())?;
        Some(Said { text: text.to_owned(), by: self.line(value) })
    }

    fn find(&self, node: NodeId, path: &[&str]) -> Option<NodeId> {
        path.iter().try_fold(node, |node, key| self.tree.get(node, key))
    }

    fn text(&self, node: NodeId, path: &[&str]) -> Option<&'t str> {
        self.tree.scalar(self.find(node, path)?)
    }

    fn line(&self, node: NodeId) -> String {
        format!("{}:{}", self.path, self.manifest.spot(self.tree.range(node).start).line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_documents::source::Source;
    use zeroize::Zeroizing;

    fn settled(text: &str) -> (Vec<Deployed>, Vec<String>) {
        let source = Source::new("f.yaml".to_owned(), Zeroizing::new(text.to_owned()));
        let manifest = Manifest::parse(&source).unwrap();
        let mut candidates = Candidates::default();
        candidates.add_all("f.yaml", &manifest);
        candidates.settle()
    }

    fn flux(source: &str, rest: &str) -> String {
        format!(
            "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: a}}\nspec:\n  \
             path: ./clusters/prod\n  sourceRef: {{kind: GitRepository, name: {source}}}\n{rest}"
        )
    }

    fn argo(url: &str, rest: &str) -> String {
        format!(
            "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  destination: \
             {{namespace: shop}}\n  source:\n    path: apps/shop\n    repoURL: {url}\n{rest}"
        )
    }

    #[test]
    fn flux_deploys_a_directory_under_other_places() {
        let (deployed, unfollowed) =
            settled(&flux("flux-system", "  targetNamespace: staging\n  namePrefix: dev-\n"));
        let [found] = &deployed[..] else { panic!("{unfollowed:?}") };
        assert_eq!((found.directory.as_str(), found.by.as_str()), ("clusters/prod", "f.yaml:2"));
        let said = |text: &str, by: &str| Some(Said { text: text.to_owned(), by: by.to_owned() });
        assert_eq!(found.namespace, said("staging", "f.yaml:8"));
        assert_eq!(found.prefix, said("dev-", "f.yaml:9"));
        assert!(found.is_certain && found.is_deep && found.suffix.is_none());
    }

    #[test]
    fn argo_cd_names_after_its_options_and_its_destination() {
        let (deployed, _) =
            settled(&argo("https://a", "    kustomize: {namespace: other, nameSuffix: -v2}\n"));
        let texts = |said: &Option<Said>| said.as_ref().map(|said| said.text.clone());
        assert_eq!(deployed[0].directory, "apps/shop");
        assert_eq!(texts(&deployed[0].namespace).as_deref(), Some("other"));
        assert_eq!(texts(&deployed[0].suffix).as_deref(), Some("-v2"));
        assert_eq!(texts(&deployed[0].default_namespace).as_deref(), Some("shop"));
    }

    #[test]
    fn an_object_that_may_mean_another_repository_is_counted_and_not_followed() {
        let (deployed, unfollowed) =
            settled(&format!("{}{}", flux("flux-system", ""), flux("team", "  targetNamespace: x\n")));
        assert_eq!((deployed.len(), unfollowed.len()), (1, 1));
        let (deployed, unfollowed) = settled(&format!("{}{}", argo("https://a", ""), argo("https://b", "")));
        assert_eq!((deployed.len(), unfollowed.len()), (0, 2));
        for unknown in [
            flux("flux-system", "").replace("GitRepository", "OCIRepository"),
            flux("flux-system", "").replace("./clusters/prod", "./clusters/${cluster}"),
            flux("flux-system", "").replace("./clusters/prod", "../x"),
            argo("https://a", "    helm: {}\n"),
            argo("https://a", "    directory: {include: '*.yaml'}\n"),
            argo("https://a", "").replace("kind: Application", "kind: ApplicationSet"),
        ] {
            let (deployed, unfollowed) = settled(&unknown);
            assert_eq!((deployed.len(), unfollowed.len()), (0, 1), "{unknown}");
        }
        let patched = "  patches: [{patch: x, target: {kind: SealedSecret}}]\n";
        assert!(!settled(&flux("flux-system", patched)).0[0].is_certain);
        assert!(
            settled(&flux("flux-system", &patched.replace("SealedSecret", "Deployment"))).0[0].is_certain
        );
    }
}
