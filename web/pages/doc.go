// Package pages is the pages for people: rendered here, without a script needed, for the packages of every kind. All
// they show comes from the functions that the protocols use, and every row of their tables asks for the same right as
// the protocol's own routes. What a reader may not see is not there: the answer is that of a name that does not exist.
//
//	pages.go    what pages work with       routes.go   addresses and their queries
//	render.go   headers, templates         format.go   names, sizes, times
//	home.go     /                          search.go   /ui/search
//	kind.go     /ui/KIND                   package.go  /ui/KIND/NAME and what is below it
//	setuppage.go /ui/setup                 readme.go   strangers' texts as HTML
//	theme.go    light and dark             fail.go     errors
//	assets.go   stylesheet and script      chart.go    pulls
//	admin.go    /-/admin, for administrators, and admin….go what is below it
//
// The look is in static/style.css, the markup in templates/. A page has no style or script of its own, and loads
// nothing from elsewhere: the Content-Security-Policy forbids both.
//
// # Wire table
//
// First what belongs to no package, then what every kind has below /ui/KIND.
//
//	GET     /                                ui.home                   list
//	GET     /ui/search                       ui.search                 list
//	GET     /ui/setup                        ui.setup                  list
//	GET     /ui/setup/{client}               ui.setup.client           list
//	POST    /-/theme                         ui.theme                  open
//	GET     /-/login                         ui.login                  open
//	POST    /-/login                         ui.login.post             login
//	POST    /-/logout                        ui.logout                 login
//	GET     /-/me                            ui.me                     login
//	POST    /-/me/tokens                     ui.me.token.add           login
//	POST    /-/me/tokens/revoke              ui.me.token.revoke        login
//	GET     /-/me/sessions                   ui.me.sessions            login
//	POST    /-/me/sessions/end               ui.me.session.end         login
//	POST    /-/me/password                   ui.me.password            login
//	GET     /-/admin                         ui.admin                  admin
//	GET     /-/admin/users                   ui.admin.users            admin
//	POST    /-/admin/users                   ui.admin.user.add         admin
//	POST    /-/admin/users/set               ui.admin.user.set         admin
//	POST    /-/admin/users/password          ui.admin.user.passwd      admin
//	POST    /-/admin/users/remove            ui.admin.user.remove      admin
//	GET     /-/admin/tokens                  ui.admin.tokens           admin
//	POST    /-/admin/tokens/revoke           ui.admin.token.revoke     admin
//	GET     /-/admin/upstreams               ui.admin.upstreams        admin
//	POST    /-/admin/upstreams/switch        ui.admin.upstream.switch  admin
//	POST    /-/admin/upstreams/check         ui.admin.upstream.check   admin
//	POST    /-/admin/upstreams/purge         ui.admin.upstream.purge   admin
//	GET     /-/admin/upstreams/misses.csv    ui.admin.misses           admin
//	POST    /-/admin/upstreams/misses/clear  ui.admin.misses.clear     admin
//	GET     /-/admin/audit                   ui.admin.audit            admin
//	GET     /-/admin/audit.jsonl             ui.admin.audit.export     admin
//	GET     /-/admin/storage                 ui.admin.storage          admin
//	POST    /-/admin/storage/count           ui.admin.survey           admin
//	POST    /-/admin/storage/gc              ui.admin.gc               admin
//	GET     /-/admin/policy                  ui.admin.policy           admin
//	POST    /-/admin/policy/claim            ui.admin.claim            admin
//	GET     /-/upload                        ui.upload                 login
//	POST    /-/upload                        ui.upload.post            login
//	GET     /-/assets/{asset}                ui.asset                  open
//	GET     /                                ui.kind                   list
//	GET     /{name...}/-/versions            ui.versions               read
//	GET     /{name...}/-/v/{version}         ui.version                read
//	GET     /{name...}/-/dependants          ui.dependants             read
//	GET     /{name...}/-/history             ui.history                read
//	POST    /{name...}/-/change              ui.change                 read
//	GET     /{name...}/-/tags                ui.tags                   read
//	GET     /{name...}                       ui.package                read
//	GET     /{name...}/-/m/{version}         ui.manifest               read
package pages
