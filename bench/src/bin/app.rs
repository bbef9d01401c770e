//! `app NAME PLACE [CORE]`: one of the applications, until its standard input closes. PLACE is a
//! folder, or the URL of Redis.

use tenure_bench::apps::App;
use tenure_bench::serve::serve;

fn main() {
    let mut args = std::env::args().skip(1);
    let app: App = args.next().expect("a name").parse().expect("a name");
    let place = args.next().expect("a folder or a URL");
    let core = args.next().map(|core| core.parse().expect("a core"));
    serve(core, async move { app.router(&place).await });
}
