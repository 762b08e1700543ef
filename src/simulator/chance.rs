//! Chance that can be had again: streams of random numbers, each by its own name.
//!
//! Every part of the simulation that draws numbers has a stream of its own, derived from the seed of the simulation and
//! the name of the stream: one sensor more does not change the weather. Never draws from the operating system.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// The stream of random numbers of that name. The same seed and name give the same numbers on every platform: `ChaCha8Rng`
/// is one of the generators of rand that are to stay as they are.
pub fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&fnv1a(name).to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Hash of a name, 64 bits, after Fowler, Noll and Vo. The standard library's hashes may change with its version.
fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn a_stream_begins_with_the_same_numbers_for_ever() {
        // Calculated apart from rand, from the definition of ChaCha with 8 rounds.
        let expected = [12_620_250_136_002_205_922, 5_764_035_766_181_402_218];
        let mut stream = stream(42, "weather/rain");
        let numbers = [stream.next_u64(), stream.next_u64()];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn the_hash_is_that_which_its_authors_publish() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn streams_of_other_names_or_seeds_are_others() {
        let first = |seed, name| stream(seed, name).next_u64();
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }
}
