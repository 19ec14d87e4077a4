package xmlrpc

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func call(params string) string {
	return `<?xml version='1.0'?><methodCall><methodName>m</methodName><params>` + params + `</params></methodCall>`
}

func TestParse(t *testing.T) {
	for body, want := range map[string]Call{
		call(``): {Method: "m"},
		`<methodCall><methodName> m </methodName></methodCall>`:                                                      {Method: "m"},
		call(`<param><value><string>a &amp; b</string></value></param>`):                                             {"m", []any{"a & b"}},
		call(`<param><value>plain</value></param><param><value></value></param>`):                                    {"m", []any{"plain", ""}},
		call(`<param><value><int>-7</int></value></param><param><value><i8>8000000000</i8></value></param>`):         {"m", []any{int64(-7), int64(8000000000)}},
		call(`<param><value><boolean>1</boolean></value></param><param><value><double>1.5</double></value></param>`): {"m", []any{true, 1.5}},
		call("<param>\n <value> <nil/> </value>\n</param>"):                                                          {"m", []any{nil}},
		call(`<param><value><array><data><value>a</value><value><i4>1</i4></value></data></array></value></param>`):  {"m", []any{[]any{"a", int64(1)}}},
		call(`<param><value><array><data></data></array></value></param>`):                                           {"m", []any{[]any{}}},
		call(`<param><value><struct><member><name>name</name><value><array><data><value><string>x</string></value></data></array></value></member></struct></value></param>`): {
			"m", []any{map[string]any{"name": []any{"x"}}}},
		call(`<param><value><dateTime.iso8601>2020</dateTime.iso8601></value></param><!-- c -->`): {"m", []any{"2020"}},
	} {
		if got, err := Parse([]byte(body)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v %v", body, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("<value><array><data>", 40) + strings.Repeat("</data></array></value>", 40)
	for name, body := range map[string]string{
		"empty": "", "no xml": "hello", "another element": "<methodResponse></methodResponse>", "no name": "<methodCall><params></params></methodCall>",
		"cut": call(``)[:60], "document type": `<!DOCTYPE x [<!ENTITY a "b">]>` + call(``), "entity": call(`<param><value>&a;</value></param>`),
		"unknown type": call(`<param><value><date>1</date></value></param>`), "no number": call(`<param><value><int>x</int></value></param>`),
		"deep": call(`<param>` + deep + `</param>`), "text between": call(`x`), "two values": call(`<param><value>a</value><value>b</value></param>`),
		"two types": call(`<param><value><int>1</int><int>2</int></value></param>`), "element in text": call(`<param><value><string><b/></string></value></param>`),
		"no member": call(`<param><value><struct><x/></struct></value></param>`), "no data": call(`<param><value><array><x/></array></value></param>`),
	} {
		if c, err := Parse([]byte(body)); !errors.Is(err, ErrCall) {
			t.Errorf("%s: %#v %v", name, c, err)
		}
	}
}

func TestResponse(t *testing.T) {
	v := []any{map[string]any{"b": nil, "a<": 1}, "x & y\x00", true, false, 1.5, int64(1) << 40, []string{"s"}}
	want := `<?xml version="1.0"?>
<methodResponse><params><param><value><array><data><value><struct><member><name>a&lt;</name><value><int>1</int></value></member><member><name>b</name><value><nil/></value></member></struct></value>` +
		`<value><string>x &amp; y` + "\ufffd" + `</string></value><value><boolean>1</boolean></value><value><boolean>0</boolean></value><value><double>1.5</double></value><value><i8>1099511627776</i8></value>` +
		`<value><array><data><value><string>s</string></value></data></array></value></data></array></value></param></params></methodResponse>` + "\n"
	if got := string(Response(v)); got != want {
		t.Errorf("%s", got)
	}
	fault := string(Fault(404, "no <such> thing"))
	if !strings.Contains(fault, "<fault><value><struct><member><name>faultCode</name><value><int>404</int>") || !strings.Contains(fault, "no &lt;such&gt; thing") {
		t.Error(fault)
	}
}

// FuzzCall: no body panics, and what is read can be answered.
func FuzzCall(f *testing.F) {
	f.Add(call(`<param><value><struct><member><name>n</name><value>v</value></member></struct></value></param>`))
	f.Add(call(`<param><value><array><data><value><int>1</int></value></data></array></value></param>`))
	f.Fuzz(func(t *testing.T, body string) {
		c, err := Parse([]byte(body))
		if err != nil {
			return
		}
		answer := string(Response(c.Params))
		inner := strings.TrimSuffix(strings.TrimPrefix(answer, head+"<params>"), "</params></methodResponse>\n")
		again, err := Parse([]byte(call(inner)))
		if err != nil || len(again.Params) != 1 {
			t.Fatalf("%q: %v", answer, err)
		}
	})
}
