//! The target of a route, compiled.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::Name;
use crate::base::rng::Rng;
use crate::expr::Template;
use crate::plan;

/// The target of a route.
pub enum Target {
    /// To the backend at this index.
    Backend(u32),
    /// To one of several backends, by weight.
    Split(Split),
    /// To the backend with the name that the template yields, if there is one.
    Named(Template, Arc<Names>),
    /// None: a rule of the route answers.
    Answered,
}

/// Backends by their names.
pub(crate) type Names = HashMap<Box<[u8]>, u32>;

/// Backends and the end of the share of each; the last end is the sum of all weights.
pub struct Split(Box<[(u64, u32)]>);

impl Target {
    /// The compiled form of `target`; `index_of` yields the index of a backend, `names` those of
    /// all.
    pub fn compile(
        target: &plan::Target,
        index_of: impl Fn(&Name) -> Option<u32>,
        names: impl FnOnce() -> Arc<Names>,
    ) -> Self {
        match target {
            plan::Target::Backend(backend) => {
                index_of(&backend.name).map_or(Self::Answered, Self::Backend)
            }
            plan::Target::Split(parts) => {
                let mut end = 0;
                let parts = parts.iter().filter_map(|(backend, weight)| {
                    let index = index_of(&backend.name)?;
                    end += u64::from(*weight);
                    Some((end, index))
                });
                Self::Split(Split(parts.collect()))
            }
            plan::Target::Named(template, plan::Among::All) => {
                Self::Named(Template::compile(template), names())
            }
            plan::Target::Named(template, plan::Among::These(among)) => {
                let names = among.iter().filter_map(|backend| {
                    let name = backend.name.as_str().as_bytes();
                    Some((name.into(), index_of(&backend.name)?))
                });
                Self::Named(Template::compile(template), Arc::new(names.collect()))
            }
            plan::Target::Answered => Self::Answered,
        }
    }

    /// The index of the backend of one request; `render` yields the text of a template.
    pub fn choose(&self, rng: &Rng, render: impl FnOnce(&Template) -> Vec<u8>) -> Option<u32> {
        match self {
            Self::Backend(index) => Some(*index),
            Self::Split(split) => split.choose(rng.next_u64()),
            Self::Named(template, names) => names.get(render(template).as_slice()).copied(),
            Self::Answered => None,
        }
    }
}

impl Split {
    /// The backend in whose share `random` is.
    fn choose(&self, random: u64) -> Option<u32> {
        let (total, _) = self.0.last()?;
        // Lemire's reduction: more even than the remainder, and without a division.
        let point = ((u128::from(random) * u128::from(*total)) >> 64) as u64;
        let index = self.0.partition_point(|(end, _)| *end <= point);
        self.0.get(index).map(|(_, backend)| *backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::BackendReference;

    fn split(weights: &[u32]) -> Target {
        let name = |index: usize| Name::new(&format!("b{index}")).expect("a name");
        let parts = weights.iter().enumerate();
        let parts = parts
            .map(|(index, weight)| (BackendReference::built_in(name(index)), *weight))
            .collect();
        let index_of = |name: &Name| name.as_str()[1..].parse().ok();
        Target::compile(&plan::Target::Split(parts), index_of, Arc::default)
    }

    #[test]
    fn each_backend_gets_its_share() {
        let (target, rng) = (split(&[70, 0, 30]), Rng::seeded(7));
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            let chosen = target.choose(&rng, |_| Vec::new()).expect("a backend");
            counts[chosen as usize] += 1;
        }
        assert_eq!(counts[1], 0, "a weight of 0 is no share");
        assert!((6_700..7_300).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn the_ends_of_shares_are_exact() {
        let Target::Split(split) = split(&[1, 0, 3]) else {
            unreachable!("it is a split");
        };
        let quarter = 1 << 62;
        assert_eq!(split.choose(0), Some(0));
        assert_eq!(split.choose(quarter - 1), Some(0));
        assert_eq!(split.choose(quarter), Some(2));
        assert_eq!(split.choose(u64::MAX), Some(2));
    }
}
