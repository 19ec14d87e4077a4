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
// P is a package (@acme/demo, @acme%2fdemo, %40acme%2Fdemo), V a version or dist-tag, F a tarball, R a revision, U a
// user, T a dist-tag, I an id. HEAD is answered wherever GET is. Paths are below /npm; "ours" marks what nobody else has.
//
//	GET     /                                 npm.root              registry-api      tools
//	GET     /-/ping                           npm.ping              registry-api      npm ping, npm doctor, pnpm
//	GET     /P                                npm.packument         package-metadata  all; abbreviated for pnpm, yarn 1, bun
//	GET     /P/V                              npm.version           registry-api      corepack, npm view, scripts
//	GET     /P/-/F                            npm.tarball           registry-api      all; also /@acme/demo/-/@acme/demo-1.0.0.tgz
//	PUT     /P                                npm.put               libnpmpublish     publish, deprecate, npm star: told apart by the body
//	PUT     /P/-rev/R                         npm.put.rev           libnpmpublish     unpublish one version, npm owner, pnpm star
//	DELETE  /P/-rev/R                         npm.unpublish         libnpmpublish     unpublish the package
//	DELETE  /P/-/F/-rev/R                     npm.tarball.delete    libnpmpublish     last step of unpublish; npm may repeat the base path before it
//	GET     /-/whoami                         npm.whoami            npm-profile       npm, pnpm, yarn 4, bun
//	PUT     /-/user/org.couchdb.user:U        npm.login             npm-profile       npm login --auth-type=legacy, pnpm, yarn; also with /-rev/R
//	GET     /-/user/org.couchdb.user:U        npm.user              npm-profile       npm owner add, yarn owner
//	DELETE  /-/user/token/I                   npm.logout            npm-profile       npm logout, pnpm logout
//	POST    /-/v1/login                       npm.weblogin          npm-profile       npm login, pnpm login
//	GET     /-/v1/login/page/I                npm.weblogin.page     ours              the browser
//	POST    /-/v1/login/page/I                npm.weblogin.confirm  ours              the browser
//	GET     /-/v1/login/done/I                npm.weblogin.done     npm-profile       npm login, pnpm login
//	GET     /-/npm/v1/tokens                  npm.tokens            npm-profile       npm token list, pnpm 12
//	POST    /-/npm/v1/tokens                  npm.token.create      npm-profile       npm token create
//	DELETE  /-/npm/v1/tokens/token/I          npm.token.revoke      npm-profile       npm token revoke
//	GET     /-/npm/v1/user                    npm.profile           npm-profile       npm profile get
//	POST    /-/npm/v1/user                    npm.profile.set       npm-profile       npm profile set password
//	GET     /-/package/P/dist-tags            npm.tags              registry-api      npm, pnpm, yarn: dist-tag ls
//	PUT     /-/package/P/dist-tags/T          npm.tag.set           registry-api      dist-tag add
//	POST    /-/package/P/dist-tags/T          npm.tag.set           registry-api      the same
//	DELETE  /-/package/P/dist-tags/T          npm.tag.delete        registry-api      dist-tag rm
//	GET     /-/v1/search                      npm.search            registry-api      npm search, pnpm search, editors
//	POST    /-/npm/v1/security/advisories/bulk  npm.audit.bulk      audit-report      npm (also after every install), pnpm 11, yarn 4, bun
//	POST    /-/npm/v1/security/audits/quick   npm.audit.quick       audit-report      npm up to 10, pnpm up to 10
//	POST    /-/npm/v1/security/audits         npm.audit.quick       audit-report      pnpm up to 10, yarn 1
//	GET     /-/larder/advisories              npm.advisories        ours              operators
//	PUT     /-/larder/advisories              npm.advisories.set    ours              operators: a JSON array replaces all
//	GET     /-/npm/v1/keys                    npm.keys              registry-signatures  npm and pnpm audit signatures, corepack
//	GET     /-/npm/v1/attestations/P@V        npm.attestations      registry-signatures  npm audit signatures
//	GET     /-/package/P/visibility           npm.visibility        libnpmaccess      npm access get status
//	GET     /-/package/P/collaborators        npm.collaborators     libnpmaccess      npm access list collaborators
//	GET     /-/package/P/access               npm.access            libnpmaccess      pnpm
//	POST    /-/package/P/access               npm.access.set        libnpmaccess      npm access set status
//	PUT     /-/package/P/owners               npm.owner.add         pnpm              pnpm owner add
//	DELETE  /-/package/P/owners/U             npm.owner.remove      pnpm              pnpm owner rm
//	GET     /-/user/U/package                 npm.user.packages     libnpmaccess      npm access list packages
//	PUT     /-/user/v1/star                   npm.star.ping         pnpm              pnpm star
//	PUT     /-/user/package/P/star            npm.star              pnpm              pnpm star
//	DELETE  /-/user/package/P/star            npm.unstar            pnpm              pnpm unstar
//	GET     /-/_view/starredByUser            npm.starred           registry-api      npm stars
//
// # Rights
//
// Reading needs read, publishing create, deprecating and dist-tags, owners and access write, unpublishing delete (and
// write, when it is one version of several). The first publisher of a package is its owner. A package that is restricted
// is seen by its owners, by administrators and by users to whom scopes were given for it; to everybody else it answers
// as one that does not exist. A new package is as public as Options.Access says; afterwards npm access changes it, and
// no publish does, whatever "access" it sends.
//
// # Where is what
//
//	routes.go    paths            model.go   what is stored     index.go   documents        serve.go   reading
//	publish.go   a version comes  manage.go  changing           search.go  search           proxy.go   upstreams
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
