//! The program `phonetrail`: see the library for what it does.

/// The pages of a backfill come and go in large pieces on many threads. The allocators of the C libraries keep most of
/// what such threads once held, and so grow with the pages that were read; this one does not.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> phonetrail::cli::Exit {
    phonetrail::cli::main()
}
