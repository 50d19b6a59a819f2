//! Weighted choice among destinations.

/// Weighted destinations, chosen by a number drawn for each request.
#[derive(Clone, Debug)]
pub struct Split<T> {
    /// Each destination with the sum of the weights up to and including its own.
    upto: Box<[(u64, T)]>,
}

impl<T: Copy> Split<T> {
    /// A split over `(weight, destination)` pairs; a weight of zero gets nothing. `None` where all weights are zero.
    pub fn new(shares: impl IntoIterator<Item = (u32, T)>) -> Option<Self> {
        let mut sum = 0;
        let upto: Box<[_]> = shares
            .into_iter()
            .filter(|(weight, _)| *weight > 0)
            .map(|(weight, destination)| {
                sum += u64::from(weight);
                (sum, destination)
            })
            .collect();
        (!upto.is_empty()).then_some(Self { upto })
    }

    /// The destination that `draw`, a number uniform over all of `u64`, falls on. Its bias is below 2^-32.
    pub fn choose(&self, draw: u64) -> T {
        self.at(self.place(draw))
    }

    /// The place, among those of [`Split::weights`], of the destination that `draw` falls on.
    pub fn place(&self, draw: u64) -> usize {
        let total = self.upto[self.upto.len() - 1].0;
        let point = u64::try_from((u128::from(draw) * u128::from(total)) >> 64).unwrap_or(u64::MAX);
        self.upto.iter().position(|(upto, _)| point < *upto).unwrap_or(self.upto.len() - 1)
    }

    /// The destination at `place`.
    pub fn at(&self, place: usize) -> T {
        self.upto[place].1
    }

    /// The destinations that can be chosen, each with its weight.
    pub fn weights(&self) -> impl Iterator<Item = (u64, T)> + '_ {
        let mut before = 0;
        self.upto.iter().map(move |(upto, destination)| {
            let weight = upto - before;
            before = *upto;
            (weight, *destination)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_keeps_its_shares_and_zero_gets_none() {
        let split = Split::new([(70, 'a'), (0, 'b'), (30, 'c')]).expect("a weight over zero");
        let mut random = fastrand::Rng::with_seed(7);
        let draws = 100_000;
        let a = (0..draws).filter(|_| split.choose(random.u64(..)) == 'a').count();
        // Five standard deviations of a binomial distribution with p = 0.7.
        let deviation = (100_000.0_f64 * 0.7 * 0.3).sqrt() * 5.0;
        assert!(
            (70_000.0 - deviation..70_000.0 + deviation).contains(&f64::from(u32::try_from(a).unwrap_or(0))),
            "{a}"
        );
        assert_eq!((split.choose(0), split.choose(u64::MAX)), ('a', 'c'));
        assert_eq!(split.weights().collect::<Vec<_>>(), [(70, 'a'), (30, 'c')]);
        assert!(Split::new([(0, 'a')]).is_none());
    }
}
