package npm

import "testing"

func TestSmoke(t *testing.T) {
	g := newRig(t)
	g.want(g.put("ada", newRelease("@sc/demo", "1.0.0", fields{"description": "A demo", "bin": "./cli.js", "dependencies": fields{"a": "^1"}})), 201, "")
	g.publish("demo", "1.0.0", "1.1.0")
	t.Log(g.do("GET", "/@sc%2fdemo", nil).body)
	t.Log(g.do("GET", "/@sc%2fdemo", nil, header("Accept", typeShort)).body)
	t.Log(g.do("GET", "/demo/latest", nil).body)
	t.Log(g.do("GET", "/@sc/demo/-/demo-1.0.0.tgz", nil).status)
	t.Log(g.do("GET", "/nope", nil))
}
