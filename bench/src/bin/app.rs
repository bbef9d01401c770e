//! `app NAME FOLDER [CORE]`: one of the applications, until its standard input closes.

use std::path::PathBuf;

use tenure_bench::apps::App;
use tenure_bench::serve::serve;

fn main() {
    let mut args = std::env::args().skip(1);
    let app: App = args.next().expect("a name").parse().expect("a name");
    let folder = PathBuf::from(args.next().expect("a folder"));
    let core = args.next().map(|core| core.parse().expect("a core"));
    serve(core, async move { app.router(&folder).await });
}
