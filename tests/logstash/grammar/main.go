// Prints what the named files of Logstash's language say, as JSON: for each file its sections, with plugins, settings
// and branches. Ends with 1 and the place where a file is not of the language.
//
// The grammar is github.com/breml/logstash-config, which follows the one that Logstash itself is made from.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	config "github.com/breml/logstash-config"
	"github.com/breml/logstash-config/ast"
)

// What each part of a file is told as; `kind` says which.
type object = map[string]any

func main() {
	files := object{}
	for _, name := range os.Args[1:] {
		parsed, err := config.ParseFile(name, config.IgnoreComments(true))
		if err != nil {
			if farthest, known := config.GetFarthestFailure(); known {
				err = fmt.Errorf("%w: %s", err, farthest)
			}
			fail(fmt.Errorf("%s: %w", name, err))
		}
		files[name] = whole(parsed.(ast.Config))
	}
	if err := json.NewEncoder(os.Stdout).Encode(files); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func whole(file ast.Config) object {
	return object{"input": sections(file.Input), "filter": sections(file.Filter), "output": sections(file.Output)}
}

func sections(all []ast.PluginSection) []object {
	told := []object{}
	for _, section := range all {
		told = append(told, steps(section.BranchOrPlugins)...)
	}
	return told
}

func steps(all []ast.BranchOrPlugin) []object {
	told := []object{}
	for _, one := range all {
		switch step := one.(type) {
		case ast.Plugin:
			told = append(told, plugin(step))
		case ast.Branch:
			arms := []object{{"if": condition(step.IfBlock.Condition), "then": steps(step.IfBlock.Block)}}
			for _, arm := range step.ElseIfBlock {
				arms = append(arms, object{"if": condition(arm.Condition), "then": steps(arm.Block)})
			}
			told = append(told, object{"kind": "branch", "arms": arms, "else": steps(step.ElseBlock.Block)})
		default:
			fail(fmt.Errorf("%v: an unknown step %T", one.Pos(), one))
		}
	}
	return told
}

func plugin(one ast.Plugin) object {
	settings := object{}
	for _, setting := range one.Attributes {
		if _, twice := settings[setting.Name()]; twice {
			fail(fmt.Errorf("%v: %s of %s is set twice", setting.Pos(), setting.Name(), one.Name()))
		}
		settings[setting.Name()] = value(setting)
	}
	return object{"kind": "plugin", "plugin": one.Name(), "settings": settings}
}

func value(one ast.Attribute) any {
	switch given := one.(type) {
	case ast.StringAttribute:
		return given.Value()
	case ast.NumberAttribute:
		return given.Value()
	case ast.ArrayAttribute:
		told := []any{}
		for _, part := range given.Value() {
			told = append(told, value(part))
		}
		return told
	case ast.HashAttribute:
		// In the order in which they stand, which is the order in which they are done.
		told := [][2]any{}
		for _, entry := range given.Value() {
			told = append(told, [2]any{value(entry.Key.(ast.Attribute)), value(entry.Value)})
		}
		return object{"kind": "hash", "entries": told}
	case ast.PluginAttribute:
		return codec(given)
	default:
		fail(fmt.Errorf("%v: an unknown value %T", one.Pos(), one))
		return nil
	}
}

// A codec. The module tells what is in it as text alone, so that is read once more.
func codec(one ast.PluginAttribute) any {
	parsed, err := config.Parse(one.Name(), []byte("input { "+one.ValueString()+" }"))
	if err != nil {
		fail(fmt.Errorf("%v: %w", one.Pos(), err))
	}
	return sections(parsed.(ast.Config).Input)[0]
}

func condition(all ast.Condition) []object {
	told := []object{}
	for _, one := range all.Expression {
		told = append(told, expression(one))
	}
	return told
}

// Each but the first is joined to those before it by its `join`.
func expression(one ast.Expression) object {
	told := object{"join": one.BoolOperator().String()}
	switch asked := one.(type) {
	case ast.ConditionExpression:
		told["kind"], told["of"] = "group", condition(asked.Condition)
	case ast.NegativeConditionExpression:
		told["kind"], told["of"] = "not", condition(asked.Condition)
	case ast.NegativeSelectorExpression:
		told["kind"], told["field"] = "absent", asked.Selector.String()
	case ast.RvalueExpression:
		told["kind"], told["field"] = "present", operand(asked.RValue)
	case ast.InExpression:
		told["kind"], told["left"], told["right"] = "in", operand(asked.LValue), operand(asked.RValue)
	case ast.NotInExpression:
		told["kind"], told["left"], told["right"] = "not in", operand(asked.LValue), operand(asked.RValue)
	case ast.CompareExpression:
		told["kind"], told["operator"] = "compare", asked.CompareOperator.String()
		told["left"], told["right"] = operand(asked.LValue), operand(asked.RValue)
	case ast.RegexpExpression:
		told["kind"], told["operator"] = "match", asked.RegexpOperator.String()
		told["left"], told["right"] = operand(asked.LValue), pattern(asked.RValue)
	default:
		fail(fmt.Errorf("%v: an unknown condition %T", one.Pos(), one))
	}
	return told
}

func operand(one ast.Rvalue) object {
	switch given := one.(type) {
	case ast.Selector:
		return object{"kind": "field", "field": given.String()}
	case ast.StringAttribute:
		return object{"kind": "text", "text": given.Value()}
	case ast.NumberAttribute:
		return object{"kind": "number", "number": given.Value()}
	default:
		fail(fmt.Errorf("%v: an unknown operand %T", one.Pos(), one))
		return nil
	}
}

func pattern(one ast.StringOrRegexp) string {
	if regexp, is := one.(ast.Regexp); is {
		return regexp.Regexp
	}
	return one.(ast.StringAttribute).Value()
}
