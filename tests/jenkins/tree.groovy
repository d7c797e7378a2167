// Reads a pipeline by Groovy's own compiler, and prints its tree as JSON: tree.groovy FILE
//
// A call is {call: its name, of: what it is called on, arguments: [...]}; a block in braces {block: [...]}; a constant is
// itself; a list and a map are a list and an object; anything else {expression: its text}. A file that Groovy cannot
// read ends with the compiler's own words and status 1.
import groovy.json.JsonOutput
import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.*
import org.codehaus.groovy.control.CompilationFailedException
import org.codehaus.groovy.control.CompilationUnit
import org.codehaus.groovy.control.Phases

class Tree {
    static of(Object node) {
        switch (node) {
            case BlockStatement: return node.statements.collect { of(it) }
            case ExpressionStatement: return of(node.expression)
            case ReturnStatement: return of(node.expression)
            case MethodCallExpression:
                def made = [call: node.methodAsString, arguments: arguments(node.arguments)]
                if (!node.implicitThis) { made.of = of(node.objectExpression) }
                return made
            case ClosureExpression: return [block: of(node.code)]
            case ConstantExpression: return node.value
            case ListExpression: return node.expressions.collect { of(it) }
            case MapExpression: return node.mapEntryExpressions.collectEntries { [(of(it.keyExpression)): of(it.valueExpression)] }
            default: return [expression: node.text]
        }
    }

    static arguments(Object given) {
        given instanceof TupleExpression ? given.expressions.collect { of(it) } : [of(given)]
    }
}

def unit = new CompilationUnit()
unit.addSource(new File(args[0]))
try {
    unit.compile(Phases.CONVERSION)
} catch (CompilationFailedException error) {
    System.err.println(error.message)
    System.exit(1)
}
println JsonOutput.toJson(unit.AST.modules.collectMany { Tree.of(it.statementBlock) })
