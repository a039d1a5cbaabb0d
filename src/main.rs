//! The program `phonetrail`: see the library for what it does.

fn main() -> phonetrail::cli::Exit {
    phonetrail::cli::main()
}
