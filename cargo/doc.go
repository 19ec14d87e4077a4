// Package cargo serves a Cargo registry: the sparse index cargo resolves from, the web API it publishes by, the crates.
//
// A crate is a store package of kind cargo, called by its name in lower case; the spelling it was published under is its
// Display. A version is called by its semantic version without build metadata, its archive is its first file. A version's
// line of the index is a row that is made once, when it is published, and copied when the crate's file is rendered: so a
// publish costs the same however many versions there are, and of what was published only the word behind "yanked" changes.
// Large text (a readme, a line with thousands of features) lives in blobs that are files of the version.
//
// # Wire table
//
// P is a crate's path in the index (se/rd/serde), D the hex of a crate's sha256, F its file (serde-1.0.0.crate), N its name,
// V a version. HEAD is answered wherever GET is. Paths are below /cargo; "ours" marks what nobody else has.
//
//	GET     /index/config.json             cargo.config          index-format  cargo, before everything else
//	GET     /index/P                       cargo.index           index-format  cargo, for every crate it resolves
//	GET     /dl/D/F                        cargo.download        index-format  cargo, renovate, cargo-binstall
//	PUT     /api/v1/crates/new             cargo.publish         web-api       cargo publish
//	DELETE  /api/v1/crates/N/V/yank        cargo.yank            web-api       cargo yank
//	PUT     /api/v1/crates/N/V/unyank      cargo.unyank          web-api       cargo yank --undo
//	GET     /api/v1/crates/N/owners        cargo.owners          web-api       cargo owner --list
//	GET     /api/v1/crates/N/owner_user    cargo.owners          public        tools
//	PUT     /api/v1/crates/N/owners        cargo.owners.add      web-api       cargo owner --add
//	DELETE  /api/v1/crates/N/owners        cargo.owners.remove   web-api       cargo owner --remove
//	GET     /api/v1/crates                 cargo.search          web-api       cargo search
//	GET     /me                            cargo.me              web-api       the browser; cargo login names it
//	POST    /me                            cargo.me.login        ours          the browser
//	GET     /api/v1/crates/N/V/download    cargo.download        public        cargo-deny, crane, tools that know the classic address
//	GET     /api/v1/crates/N               cargo.crate           public        tools
//	PATCH   /api/v1/crates/N               cargo.crate.set       ours          owners: {"crate":{"private":true}}
//	DELETE  /api/v1/crates/N               cargo.crate.delete    public        owners
//	GET     /api/v1/crates/N/versions      cargo.versions        public        tools
//	GET     /api/v1/crates/N/reverse_dependencies  cargo.dependents  public    tools
//	GET     /api/v1/crates/N/downloads     cargo.downloads       public        tools
//	GET     /api/v1/crates/N/V             cargo.version         public        tools
//	PATCH   /api/v1/crates/N/V             cargo.version.set     public        yanking with a reason
//	DELETE  /api/v1/crates/N/V             cargo.version.delete  ours          owners
//	GET     /api/v1/crates/N/V/readme      cargo.readme          public        tools
//	GET     /api/v1/crates/N/V/dependencies  cargo.dependencies  public        tools
//	GET     /api/v1/crates/N/V/downloads   cargo.downloads       public        tools
//
// The specifications are the chapters of the Cargo Book; "public" are the shapes of the public registry's own API.
//
// The index is found without /index as well. Below /private there are index and downloads a second time, closed: they
// answer nobody without a token, and their config.json says so, because cargo sends its token to an index that asks for
// it and to no other. Crates that not everybody may read are for those who use that address. Where anonymous may read
// nothing, or with Options.AuthRequired, every address is closed.
//
// # Rights
//
// Reading needs read, publishing create (judged when the body has named the crate), yanking, owners and access write,
// deleting delete. The first publisher of a crate is its owner. A private crate is seen by its owners, by administrators
// and by users to whom scopes were given for it; to everybody else it answers as one that does not exist.
//
// # Where is what
//
//	routes.go   paths                      upload.go   the body of a publish      api.go      crates and versions as JSON
//	model.go    names, metadata            publish.go  a version comes in         search.go   search
//	index.go    lines                      serve.go    reading                    manage.go   changing
//	crate/      what cargo accepts: archives, Cargo.toml, requirements            me.go       the page with the token
//	errors.go   every error body
package cargo
