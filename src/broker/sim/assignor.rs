//! Who reads which partition: what Kafka's cooperative-sticky assignor comes to.
//!
//! # Invariants
//! 1. Every partition that somebody wants has exactly one target.
//! 2. Loads differ by more than one only where subscriptions leave no choice.
//! 3. Nobody loses a partition unless balance asks for it.
//! 4. A partition that moves is given to nobody in this generation: its owner gives it up first (KIP-429).

use super::trace::Place;
use std::collections::{BTreeMap, BTreeSet};

/// One member of the group, as it joined.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// The generation in which it owned what it says it owns; of two claims the later one counts.
    pub(crate) generation: i32,
    /// The partitions it says it owns.
    pub(crate) owned: Vec<Place>,
    /// The partitions it could read.
    pub(crate) wanted: BTreeSet<Place>,
}

/// What each member gets in this generation. Nothing is taken from the one and given to the other at once.
pub(crate) fn assign<M: Copy + Ord>(claims: &BTreeMap<M, Claim>) -> BTreeMap<M, Vec<Place>> {
    let owners = owners(claims);
    let mut assigned: BTreeMap<M, Vec<Place>> = claims.keys().map(|&member| (member, Vec::new())).collect();
    for (place, member) in targets(claims, &owners) {
        let stays = owners.get(&place).is_none_or(|&owner| owner == member);
        if stays && let Some(places) = assigned.get_mut(&member) {
            places.push(place);
        }
    }
    assigned
}

fn owners<M: Copy + Ord>(claims: &BTreeMap<M, Claim>) -> BTreeMap<Place, M> {
    let mut owners: BTreeMap<Place, (i32, M)> = BTreeMap::new();
    for (&member, claim) in claims {
        for place in claim.owned.iter().filter(|place| claim.wanted.contains(place)) {
            let owner = owners.entry(place.clone()).or_insert((claim.generation, member));
            if owner.0 < claim.generation {
                *owner = (claim.generation, member);
            }
        }
    }
    owners.into_iter().map(|(place, (_, member))| (place, member)).collect()
}

fn targets<M: Copy + Ord>(claims: &BTreeMap<M, Claim>, owners: &BTreeMap<Place, M>) -> BTreeMap<Place, M> {
    let mut targets = owners.clone();
    let mut load: BTreeMap<M, usize> = claims.keys().map(|&member| (member, 0)).collect();
    targets.values().for_each(|member| *load.entry(*member).or_default() += 1);
    let all: BTreeSet<&Place> = claims.values().flat_map(|claim| &claim.wanted).collect();
    for place in all {
        if targets.contains_key(place) {
            continue;
        }
        if let Some(member) = lightest(claims, &load, place) {
            targets.insert(place.clone(), member);
            *load.entry(member).or_default() += 1;
        }
    }
    while let Some((place, from, to)) = overload(claims, &targets, &load) {
        targets.insert(place, to);
        *load.entry(from).or_default() -= 1;
        *load.entry(to).or_default() += 1;
    }
    targets
}

fn lightest<M: Copy + Ord>(claims: &BTreeMap<M, Claim>, load: &BTreeMap<M, usize>, place: &Place) -> Option<M> {
    let able = claims.iter().filter(|(_, claim)| claim.wanted.contains(place));
    able.map(|(&member, _)| member).min_by_key(|member| load.get(member))
}

/// A partition whose move makes loads more even, from the heaviest member that has one.
fn overload<M: Copy + Ord>(
    claims: &BTreeMap<M, Claim>,
    targets: &BTreeMap<Place, M>,
    load: &BTreeMap<M, usize>,
) -> Option<(Place, M, M)> {
    let of = |member: &M| load.get(member).copied().unwrap_or(0);
    let moves = targets.iter().filter_map(|(place, &from)| {
        let to = lightest(claims, load, place)?;
        (of(&from) > of(&to) + 1).then_some((place, from, to))
    });
    moves.max_by_key(|(_, from, _)| of(from)).map(|(place, from, to)| (place.clone(), from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(topic: &str, partition: i32) -> Place {
        Place { topic: topic.into(), incarnation: 0, partition }
    }

    fn topic(partitions: i32) -> BTreeSet<Place> {
        (0..partitions).map(|partition| place("orders", partition)).collect()
    }

    fn claim(owned: Vec<Place>, wanted: &BTreeSet<Place>) -> Claim {
        Claim { generation: 1, owned, wanted: wanted.clone() }
    }

    #[test]
    fn a_partition_moves_in_two_generations() {
        let wanted = topic(4);
        let all: Vec<Place> = wanted.iter().cloned().collect();
        let first = assign(&BTreeMap::from([(1, claim(all, &wanted)), (2, claim(vec![], &wanted))]));
        assert_eq!((first[&1].len(), first[&2].len()), (2, 0), "the first generation only takes away");
        let second = assign(&BTreeMap::from([(1, claim(first[&1].clone(), &wanted)), (2, claim(vec![], &wanted))]));
        assert_eq!((second[&1].clone(), second[&2].len()), (first[&1].clone(), 2));
    }

    #[test]
    fn the_later_of_two_claims_counts() {
        let wanted = topic(1);
        let mut claims = BTreeMap::from([
            (1, claim(vec![place("orders", 0)], &wanted)),
            (2, claim(vec![place("orders", 0)], &wanted)),
        ]);
        claims.get_mut(&2).unwrap().generation = 2;
        let assigned = assign(&claims);
        assert_eq!((assigned[&1].len(), assigned[&2].len()), (0, 1));
    }

    proptest! {
        #[test]
        fn rounds_end_balanced_with_every_partition_owned(
            partitions in 1..24i32,
            members in 1..7u32,
            owned in proptest::collection::vec(0..7u32, 24),
        ) {
            let wanted = topic(partitions);
            let mut claims: BTreeMap<u32, Claim> = (0..members).map(|member| (member, claim(vec![], &wanted))).collect();
            for (place, owner) in wanted.iter().zip(owned) {
                claims.entry(owner).and_modify(|claim| claim.owned.push(place.clone()));
            }
            let before = claims.clone();
            for _ in 0..2 {
                let assigned = assign(&claims);
                for (member, places) in assigned {
                    for place in &places {
                        let other = claims.iter().any(|(&id, claim)| id != member && claim.owned.contains(place));
                        prop_assert!(!other, "given away before it was given up");
                    }
                    claims.get_mut(&member).unwrap().owned = places;
                }
            }
            let loads: Vec<usize> = claims.values().map(|claim| claim.owned.len()).collect();
            prop_assert_eq!(loads.iter().sum::<usize>(), wanted.len());
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
            let floor = wanted.len() / members as usize;
            for (member, claim) in &claims {
                let kept = before[member].owned.iter().filter(|place| claim.owned.contains(place)).count();
                prop_assert!(kept >= before[member].owned.len().min(floor), "moved without need");
            }
        }
    }
}
