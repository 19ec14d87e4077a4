// Package cargo serves a Cargo registry: the sparse index cargo resolves from, the web API it publishes by, the crates.
//
// A crate is a store package of kind cargo, called by its name in lower case; the spelling it was published under is
// its Display. A version is called by its semantic version without build metadata, its archive is its first file. A
// version's line of the index is a row that is made once, when it is published, and copied when the crate's file is
// rendered: so a publish costs the same however many versions there are, and of what was published only the word behind
// "yanked" changes. Large text (a readme, a line with thousands of features) lives in blobs that are files of the
// version.
//
// # Wire table
//
// Method, path below /cargo, operation and what it needs; who asks for it stands with the routes in cargo.go, from
// which the table is made. HEAD is answered wherever GET is.
//
//	GET     /{private}/index/config.json                   cargo.config          read
//	GET     /{private}/config.json                         cargo.config          read
//	GET     /index/config.json                             cargo.config          read
//	GET     /config.json                                   cargo.config          read
//	GET     /{private}/index/{index...}                    cargo.index           read
//	GET     /{private}/{index...}                          cargo.index           read
//	GET     /index/{index...}                              cargo.index           read
//	GET     /{index...}                                    cargo.index           read
//	GET     /{private}/dl/{digest}/{file}                  cargo.download        read
//	GET     /dl/{digest}/{file}                            cargo.download        read
//	PUT     /api/v1/crates/new                             cargo.publish         body
//	DELETE  /api/v1/crates/{crate}/{version}/yank          cargo.yank            write
//	PUT     /api/v1/crates/{crate}/{version}/unyank        cargo.unyank          write
//	GET     /api/v1/crates/{crate}/owners                  cargo.owners          read
//	GET     /api/v1/crates/{crate}/owner_user              cargo.owners          read
//	GET     /api/v1/crates/{crate}/owner_team              cargo.owners.team     read
//	PUT     /api/v1/crates/{crate}/owners                  cargo.owners.add      write
//	DELETE  /api/v1/crates/{crate}/owners                  cargo.owners.remove   write
//	GET     /api/v1/crates                                 cargo.search          list
//	GET     /me                                            cargo.me              open
//	POST    /me                                            cargo.me.login        login
//	GET     /api/v1/crates/{crate}/{version}/download      cargo.download        read
//	GET     /api/v1/crates/{crate}                         cargo.crate           read
//	PATCH   /api/v1/crates/{crate}                         cargo.crate.set       write
//	DELETE  /api/v1/crates/{crate}                         cargo.crate.delete    delete
//	GET     /api/v1/crates/{crate}/versions                cargo.versions        read
//	GET     /api/v1/crates/{crate}/reverse_dependencies    cargo.dependents      read
//	GET     /api/v1/crates/{crate}/{version}/downloads     cargo.downloads       read
//	GET     /api/v1/crates/{crate}/downloads               cargo.downloads       read
//	GET     /api/v1/crates/{crate}/{version}               cargo.version         read
//	PATCH   /api/v1/crates/{crate}/{version}               cargo.version.set     write
//	DELETE  /api/v1/crates/{crate}/{version}               cargo.version.delete  delete
//	GET     /api/v1/crates/{crate}/{version}/readme        cargo.readme          read
//	GET     /api/v1/crates/{crate}/{version}/dependencies  cargo.dependencies    read
//
// The index is found without /index as well. Below /private there are index and downloads a second time, closed: they
// answer nobody without a token, and their config.json says so, because cargo sends its token to an index that asks for
// it and to no other. Crates that not everybody may read are for those who use that address. Where anonymous may read
// nothing, or with Options.AuthRequired, every address is closed.
//
// # Rights
//
// Reading needs read, publishing create (asked for when the body has named the crate), yanking, owners and access
// write, deleting delete. The first publisher of a crate is its owner. A private crate is seen by its owners, by
// administrators and by users to whom scopes were given for it; to everybody else it answers as one that does not
// exist.
//
// # Publishing while an upstream is down
//
// cargo publish (1.85 and later) reads the crate's file of the index first, as a build does, and goes on after a 404
// only. While an upstream does not say whether a crate exists it is no 404: a build would choose other versions. It is
// one for a name that is claimed, and for whoever may publish the crate by a scope that names it, no pattern, and sends
// the token along, as cargo does to the closed index.
//
// # Where is what
//
//	routes.go   paths                      upload.go   the body of a publish      api.go      crates and versions as JSON
//	model.go    names, metadata            publish.go  a version comes in         search.go   search
//	index.go    lines                      serve.go    reading                    manage.go   changing
//	proxy.go    copies of upstreams        me.go       the page with the token    errors.go   every error body
//	remoteapi.go  crates of upstreams as JSON                 downloads.go  how often crates were fetched
//	names/      names of crates, dependencies, features, targets                  version/    versions and requirements
//	archive/    what a crate's archive and its Cargo.toml say
package cargo
