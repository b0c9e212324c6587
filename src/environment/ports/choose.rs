//! Which port an environment gets: a pure function, but for the question whether a port is free.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::formats::parse_whole;

/// The ports that environments may get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRange(RangeInclusive<u16>);

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<PortRange, String> {
        let wrong = || {
            format!(
                "`{}` is no range of ports; write two numbers from 1024 to 65535, such as `20000-29999`",
                text.escape_debug()
            )
        };
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let number = |text: &str| parse_whole::<u16>(text).ok_or_else(wrong);
        let range = number(first)?..=number(last)?;
        if range.is_empty() || *range.start() < 1024 { Err(wrong()) } else { Ok(PortRange(range)) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

impl PortRange {
    /// A port that nothing has: none of `given`, and one of which `is_free` says so. The kernel may give those of `avoided`
    /// to any program, so that they come last. The search begins at a place that depends on `seed`: so most environments find
    /// a port at the first try, and one that is made again finds its old one.
    pub(super) fn choose(
        &self,
        seed: &str,
        given: &BTreeSet<u16>,
        avoided: Option<&RangeInclusive<u16>>,
        is_free: &dyn Fn(u16) -> bool,
    ) -> Option<u16> {
        let digest = Sha256::digest(seed);
        let begin = usize::from(u16::from_be_bytes([digest[0], digest[1]])) % self.0.len();
        let round = || self.0.clone().cycle().skip(begin).take(self.0.len()).filter(|p| !given.contains(p));
        let is_avoided = |port: &u16| avoided.is_some_and(|avoided| avoided.contains(port));
        let good = round().filter(|port| !is_avoided(port));
        good.chain(round().filter(is_avoided)).find(|port| is_free(*port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_ports_that_everyone_may_use() {
        assert_eq!("20000-29999".parse::<PortRange>().unwrap().to_string(), "20000-29999");
        assert!("2000-2000".parse::<PortRange>().is_ok());
        for bad in [
            "",
            "2000",
            "3000-2000",
            "80-90",
            "20000-70000",
            "a-b",
            "20000..21000",
            "+2000-+3000",
            "2000-+3000",
        ] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_port_that_is_given_or_in_use_is_passed_over_and_those_of_the_kernel_come_last() {
        let range: PortRange = "2000-2004".parse().unwrap();
        let choose = |given: &[u16], avoided: Option<RangeInclusive<u16>>, busy: &[u16]| {
            let given = given.iter().copied().collect();
            range.choose("seed", &given, avoided.as_ref(), &|port| !busy.contains(&port))
        };
        assert_eq!(choose(&[2000, 2001, 2002], None, &[2003]), Some(2004));
        assert_eq!(choose(&[], Some(2000..=2003), &[]), Some(2004));
        assert_eq!(choose(&[2004], Some(2000..=2003), &[2000, 2001, 2003]), Some(2002));
        assert_eq!(choose(&[2000, 2001], None, &[2002, 2003, 2004]), None);
        assert_eq!(choose(&[], None, &[]), choose(&[], None, &[]));
    }
}
