//! Who acts and who is acted upon: invented people, and operators that are no people.

use rand::{Rng, RngExt};

use super::weighted::{Weighted, one_of};

/// As shown, and as part of an address.
const FIRST_NAMES: [(&str, &str); 16] = [
    ("Ada", "ada"),
    ("Søren", "soren"),
    ("Chloé", "chloe"),
    ("Zoe\u{308}", "zoe"), // decomposed
    ("Priya", "priya"),
    ("Владимир", "vladimir"),
    ("美咲", "misaki"),
    ("محمد", "mohammed"),
    ("Björn", "bjorn"),
    ("Grace", "grace"),
    ("Łukasz", "lukasz"),
    ("Siobhán", "siobhan"),
    ("Wei", "wei"),
    ("José", "jose+phones"),
    ("Tariq", "tariq"),
    ("Mary Ann", "mary_ann"),
];
const LAST_NAMES: [(&str, &str); 10] = [
    ("Ångström", "angstrom"),
    ("Müller", "mueller"),
    ("O'Brien", "obrien"),
    ("Nguyễn", "nguyen"),
    ("Smith-Jones", "smith-jones"),
    ("García", "garcia"),
    ("田中", "tanaka"),
    ("Иванов", "ivanov"),
    ("de la Cruz", "delacruz"),
    ("Kowalski (Temp)", "kowalski%temp"),
];
const DOMAINS: [&str; 4] = ["example.com", "phones.example", "branch-2.example.com", "north.test"];

const SYSTEMS: [&str; 4] = ["System", "SYSTEM", "Zoom Support", "System Auto Job"];
const APPS: [&str; 3] = ["SCIM API", "HR Sync (App)", "Provisioning Connector"];
/// How many people are administrators, and how far apart they stand among the people (else most had one last name).
const ADMIN_COUNT: usize = 24;
const ADMIN_STRIDE: usize = 17;

/// Someone with a name and an address.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) email: String,
}

/// Everyone.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    people: Vec<Person>,
    admins: Weighted,
}

impl Cast {
    pub(super) fn new() -> Self {
        let names = LAST_NAMES.iter().flat_map(|last| FIRST_NAMES.iter().map(move |first| (first, last)));
        let people = names.enumerate().map(|(index, ((first, first_part), (last, last_part)))| Person {
            name: format!("{first} {last}"),
            email: format!("{first_part}.{last_part}@{}", DOMAINS[index % DOMAINS.len()]),
        });
        let admins = Weighted::new((1..=ADMIN_COUNT as u64).map(|rank| 1000 / rank));
        Self { people: people.collect(), admins }
    }

    pub(super) fn person(&self, rng: &mut impl Rng) -> &Person {
        &self.people[rng.random_range(0..self.people.len())]
    }

    /// Who did something under `action`: mostly a person, whose address is not always written the same way.
    pub(super) fn operator(&self, rng: &mut impl Rng, action: &str) -> String {
        if action.starts_with("SCIM API") {
            return one_of(rng, APPS).to_owned();
        }
        match rng.random_range(0..100) {
            0..3 => one_of(rng, SYSTEMS).to_owned(),
            3..5 => one_of(rng, APPS).to_owned(),
            spelling => {
                let admin = self.admins.pick(rng) * ADMIN_STRIDE % self.people.len();
                respelt(&self.people[admin].email, spelling)
            }
        }
    }
}

/// The address in the spelling that `chance` (5 to 99) picks.
fn respelt(email: &str, chance: u32) -> String {
    match chance {
        5..8 => email.to_uppercase(),
        8..13 => capitalised(email),
        13 => format!("{email} "),
        _ => email.to_owned(),
    }
}

/// `Ada.Obrien@Example.com`.
fn capitalised(email: &str) -> String {
    let mut at_start = true;
    let letters = email.chars().map(|letter| {
        let capital = std::mem::replace(&mut at_start, !letter.is_alphanumeric());
        if capital { letter.to_ascii_uppercase() } else { letter }
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_spelt_in_more_than_one_way() {
        assert_eq!(respelt("ada.obrien@example.com", 6), "ADA.OBRIEN@EXAMPLE.COM");
        assert_eq!(respelt("ada.obrien@example.com", 9), "Ada.Obrien@Example.Com");
        assert_eq!(respelt("ada.obrien@example.com", 50), "ada.obrien@example.com");
    }
}
