// Package npm serves the npm registry API: npm, pnpm, yarn (classic and berry), bun and corepack publish to it, install
// from it and manage what is there.
//
// A package is a store package of kind npm, a version is called by its semantic version, its tarball is its first file,
// a dist-tag is a store tag. A version's record holds its manifest; what documents show of it is a fragment, a row that
// is derived from the record and copied when a document is rendered. So a publish costs the same however many versions
// there are, and a document is rendered once for each change, form and base URL. Large JSON (manifest, README,
// provenance) lives in blobs that are files of the version.
//
// # Wire table
//
// Method, path below /npm, operation and what it needs; who asks for it stands with the routes in npm.go, from which
// the table is made. A package is @acme/demo, @acme%2fdemo or %40acme%2Fdemo. HEAD is answered wherever GET is.
//
//	GET     /-/ping                                     npm.ping                  open
//	GET     /-/whoami                                   npm.whoami                login
//	PUT     /-/user/org.couchdb.user:{user}/-rev/{rev}  npm.login                 login
//	PUT     /-/user/org.couchdb.user:{user}             npm.login                 login
//	GET     /-/user/org.couchdb.user:{user}             npm.user                  login
//	DELETE  /-/user/token/{token}                       npm.logout                login
//	POST    /-/v1/login                                 npm.weblogin              login
//	GET     /-/v1/login/page/{login}                    npm.weblogin.page         login
//	POST    /-/v1/login/page/{login}                    npm.weblogin.confirm      login
//	GET     /-/v1/login/done/{login}                    npm.weblogin.done         login
//	GET     /-/npm/v1/tokens                            npm.tokens                login
//	POST    /-/npm/v1/tokens                            npm.token.create          login
//	DELETE  /-/npm/v1/tokens/token/{token}              npm.token.revoke          login
//	GET     /-/npm/v1/user                              npm.profile               login
//	POST    /-/npm/v1/user                              npm.profile.set           login
//	GET     /-/package/{pkg...}/dist-tags               npm.tags                  read
//	PUT     /-/package/{pkg...}/dist-tags/{tag}         npm.tag.set               write
//	POST    /-/package/{pkg...}/dist-tags/{tag}         npm.tag.set               write
//	DELETE  /-/package/{pkg...}/dist-tags/{tag}         npm.tag.delete            write
//	GET     /-/v1/search                                npm.search                list
//	POST    /-/npm/v1/security/advisories/bulk          npm.audit.bulk            list
//	POST    /-/npm/v1/security/audits/quick             npm.audit.quick           list
//	POST    /-/npm/v1/security/audits                   npm.audit.quick           list
//	GET     /-/larder/advisories                        npm.advisories            admin
//	PUT     /-/larder/advisories                        npm.advisories.set        admin
//	GET     /-/npm/v1/keys                              npm.keys                  open
//	GET     /-/npm/v1/attestations/{spec...}            npm.attestations          read
//	GET     /-/package/{pkg...}/visibility              npm.visibility            read
//	GET     /-/package/{pkg...}/collaborators           npm.collaborators         read
//	GET     /-/package/{pkg...}/access                  npm.access                read
//	POST    /-/package/{pkg...}/access                  npm.access.set            write
//	PUT     /-/package/{pkg...}/owners                  npm.owner.add             write
//	DELETE  /-/package/{pkg...}/owners/{owner}          npm.owner.remove          write
//	GET     /-/user/{user}/package                      npm.user.packages         list
//	PUT     /-/user/v1/star                             npm.star.ping             login
//	PUT     /-/user/package/{pkg...}/star               npm.star                  read
//	DELETE  /-/user/package/{pkg...}/star               npm.unstar                read
//	GET     /-/_view/starredByUser                      npm.starred               list
//	GET     /downloads/point/{period}                   npm.downloads.all         list
//	GET     /downloads/range/{period}                   npm.downloads.range.all   list
//	GET     /downloads/point/{period}/{list...}         npm.downloads.bulk        list
//	GET     /downloads/range/{period}/{list...}         npm.downloads.range.bulk  list
//	GET     /downloads/point/{period}/{pkg...}          npm.downloads             read
//	GET     /downloads/range/{period}/{pkg...}          npm.downloads.range       read
//	GET     /                                           npm.root                  open
//	GET     /{pkg...}                                   npm.packument             read
//	GET     /{path...}/-/{file}                         npm.tarball               read
//	GET     /{path...}/-/{scope}/{file}                 npm.tarball               read
//	GET     /{any...}/-/{file}                          npm.tarball               read
//	GET     /{any...}/-/{scope}/{file}                  npm.tarball               read
//	GET     /{any...}/-/{release}/{file}                npm.tarball.of            read
//	GET     /download/{pkg...}/{release}/{sum}          npm.tarball.of            read
//	PUT     /{pkg...}                                   npm.put                   create
//	PUT     /{pkg...}/-rev/{rev}                        npm.put.rev               write
//	DELETE  /{pkg...}/-rev/{rev}                        npm.unpublish             delete
//	DELETE  /{any...}/-/{file}/-rev/{rev}               npm.tarball.delete        delete
//	GET     /{pkg...}/{version}                         npm.version               read
//
// # Rights
//
// Reading needs read, publishing create, deprecating and dist-tags, owners and access write, unpublishing delete (and
// write, when it is one version of several). The first publisher of a package is its owner. A package that is
// restricted is seen by its owners, by administrators and by users to whom scopes were given for it; to everybody else
// it answers as one that does not exist. A new package is as public as Options.Access says; afterwards npm access
// changes it, and no publish does, whatever "access" it sends.
//
// # Where is what
//
//	npm.go       options, routes  routes.go  their fields
//	model.go     what is stored   index.go   documents          serve.go   reading
//	publish.go   a version comes  manage.go  changing           search.go  search           proxy.go   upstreams
//	rewrite.go   packuments of upstreams as ours     remotefile.go  their tarballs         remoteapi.go  the rest
//	sign.go      the key          errors.go  every error body    access.go  public, or for the owners only
//
// What can be understood by itself lies in folders:
//
//	naming   what packages, versions, dist-tags and tarballs may be called
//	tarball  what a tarball says of itself (archive.go of the other protocols)
//	putdoc   PUT /P, read as a stream
//	search   what a package is found by, and what a search text asks for
//	account  users: logging in, tokens, the profile
//	audit    advisories, and the ranges they are written in
//	sign     signatures of versions
package npm
