// Package rubygems serves the RubyGems protocol: gem and Bundler, from RubyGems 3.3 to 4.0, publish to it, install from it
// and manage what is there.
//
// A gem is a store package of kind rubygems. A version is called by its number and, unless that is ruby, its platform
// ("1.0-x86_64-linux"); its .gem is its first file. A version's record holds its specification, as data, and its line of the
// compact index. Everything clients read of the whole registry is derived from records by the transaction that changes
// them: a gem's lines and the state of their md5, the list /versions with the states of its sums, the rows of the Marshal
// indexes, the specification in Ruby's format. So a push costs the same however many gems and versions there are.
//
// # Wire table
//
// N is a gem, F a full name (rack-3.1.0, nokogiri-1.18.0-x86_64-linux), V a number, J json or yaml. HEAD is answered wherever
// GET is. Empty segments of a path count as none. Paths are below /rubygems; "ours" marks what nobody else has.
//
//	GET     /                                  rubygems.root            A1-1   gem install up to 3.3, with HEAD
//	GET     /versions                          rubygems.versions        A1-2   Bundler, gem install
//	GET     /names                             rubygems.names           A1-5   tools
//	GET     /info/N                            rubygems.info            A1-4   Bundler, gem install
//	GET     /specs.4.8.gz                      rubygems.specs           A1-6   gem search, list, fetch; also latest_specs, prerelease_specs
//	GET     /quick/Marshal.4.8/F.gemspec.rz    rubygems.gemspec         A1-7   every gem install
//	GET     /gems/F.gem                        rubygems.download        A1-8   all
//	GET     /api/v1/dependencies               rubygems.dependencies    A1-9   Bundler without /versions: always 404
//	POST    /api/v1/gems                       rubygems.push            A2     gem push, also as a form with attestations
//	DELETE  /api/v1/gems/yank                  rubygems.yank            A2     gem yank
//	PUT     /api/v1/gems/unyank                rubygems.unyank          A2     old clients: always 403
//	POST    /api/v1/gems/restore               rubygems.restore         ours   administrators
//	GET     /api/v1/gems.json                  rubygems.own             A1-12  scripts
//	GET     /api/v1/gems/N.json                rubygems.show            A1-10  bots
//	GET     /api/v1/gems/N/owners.J            rubygems.owners          A2     gem owner
//	POST    /api/v1/gems/N/owners              rubygems.owner.add       A2     gem owner --add
//	DELETE  /api/v1/gems/N/owners              rubygems.owner.remove    A2     gem owner --remove
//	PATCH   /api/v1/gems/N/owners              rubygems.owner.change    A2     scripts
//	GET     /api/v1/versions/N.json            rubygems.releases        A1-10  bots
//	GET     /api/v1/versions/N/latest.json     rubygems.latest          A1-10  dashboards
//	GET     /api/v2/rubygems/N/versions/V.json  rubygems.release        A1-10  bots
//	GET     /api/v1/search.json                rubygems.search          A1-11  scripts
//	GET     /api/v1/timeframe_versions.json    rubygems.timeframe       A1-12  mirrors
//	GET     /api/v1/activity/latest.json       rubygems.activity.latest   A1-12  bots
//	GET     /api/v1/activity/just_updated.json  rubygems.activity.updated  A1-12  bots
//	GET     /api/v1/attestations/F.json        rubygems.attestations    A1-13  the Sigstore plugin
//	POST    /api/v1/api_key                    rubygems.key.create      A2     gem signin, gem push without a key
//	PUT     /api/v1/api_key                    rubygems.key.change      A2     clients whose key lacks a scope: always 403
//	GET     /api/v1/api_key                    rubygems.key             A2     clients up to 3.1: always 410
//	GET     /api/v1/profile/me.J               rubygems.profile         A2     gem signin
//	POST    /api/v1/webauthn_verification      rubygems.webauthn        A2     clients asked for a code: always 422
//	POST    /api/v1/larder/compact             rubygems.compact         ours   operators: a short /versions now
//
// # Rights
//
// Reading needs read, pushing create, yanking delete, owners write, restoring and compacting admin. What a key made with gem
// signin may do follows the scopes clients know: push_rubygem is create, yank_rubygem delete, add_owner and its kin write.
// Who pushes a gem first is its owner. A user to whom no administrator gave scopes changes only gems of which they are an
// owner; scopes are the administrator's word on which gems somebody may change. Lists show what whoever asks may read: who
// may read everything gets the stored list, others one rendered for them.
//
// # Where is what
//
//	routes.go   paths             model.go              what is stored   naming/                names, versions, their order
//	publish.go  a version comes in  index.go            rows of indexes  compact.go            /versions, shortened
//	serve.go    reading           api.go, search.go     JSON            manage.go              yank, restore, owners
//	login.go    keys              form/                 forms           errors.go              every error body
//	proxy.go    others' gems      compactindex/         lines           gemfile/               what a .gem says, its rules
//
// What the files of RubyGems say is internal/gemspec, in Ruby's binary format by internal/rubymarshal; how a list that only
// grows is kept and served is internal/ledger.
package rubygems
